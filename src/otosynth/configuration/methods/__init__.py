"""Settings of the trained methods: a module a method, named as its module in ``methods/``.

They stand apart from the methods, so that reading a configuration does not import torch.
"""

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

from otosynth.configuration.methods.base import MethodSettings

# Modules beside the methods that are no method themselves.
SHARED_MODULES = ("base", "gan")


def settings_class(module: str) -> type[MethodSettings]:
    """Return the class of a method's settings.

    Raises
    ------
    ValueError
        If there is no such method.
    """
    place = f"{__name__}.{module}"
    known = module.isidentifier() and importlib.util.find_spec(place)
    if not known or module in SHARED_MODULES:
        raise ValueError(f"there is no method '{module}' (no file methods/{module}.py)")
    found: type[MethodSettings] = importlib.import_module(place).Settings
    return found


def with_module(name: str, block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block of the configuration with its method's module, which may be its name."""
    return {**block, "module": block.get("module") or name}


def settings_of(block: Mapping[str, Any]) -> MethodSettings:
    """Return the settings of a block that names its module.

    Raises
    ------
    ValueError
        If there is no such method, or (as pydantic's ValidationError) a key is not valid.
    """
    if not isinstance(block, Mapping):
        raise ValueError("a method's block must be a section with keys")
    return settings_class(block["module"])(**block)


def method_settings(name: str, block: Mapping[str, Any]) -> MethodSettings:
    """Return the settings of a block as a job gets it: a title matters to figures alone.

    Raises
    ------
    ValueError
        As ``settings_of``.
    """
    return settings_of({"title": name, **with_module(name, block)})
