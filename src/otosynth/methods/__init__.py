"""The trained methods, one file each; a method's name is its file's name."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otosynth.configuration.methods.base import MethodSettings
    from otosynth.methods.base import Method


def create_method(settings: "MethodSettings") -> "Method":
    """Return the method that some settings are of.

    torch is imported with it, not before, so that reading a configuration stays quick.
    """
    method: Method = importlib.import_module(f"otosynth.methods.{settings.module}").Method(settings)
    return method
