"""What every section of the configuration shares: unknown keys are refused."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from otosynth.errors import InputError


class Section(BaseModel):
    """A section of ``config.yaml``: immutable, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


SomeSection = TypeVar("SomeSection", bound=Section)


def section_of(kind: type[SomeSection], settings: Mapping[str, object]) -> SomeSection:
    """Return one section by itself, its other keys at their defaults.

    Raises
    ------
    InputError
        Names each key that is unknown, missing, of the wrong type or out of range.
    """
    try:
        return kind.model_validate(dict(settings))
    except ValidationError as error:
        raise InputError(f"The settings are not valid:\n{describe(error)}") from None


def describe(error: ValidationError) -> str:
    """Return what is wrong with settings, a line a key."""
    return "\n".join(_describe(problem) for problem in error.errors())


def _describe(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "configuration"
    if problem["type"] == "extra_forbidden":
        return f"  {key}: unknown key; check the spelling against config.yaml"
    if problem["type"] == "missing":
        return f"  {key}: missing; config.yaml shows it with its default"
    return f"  {key}: {problem['msg'].removeprefix('Value error, ')} (given: {problem['input']!r})"
