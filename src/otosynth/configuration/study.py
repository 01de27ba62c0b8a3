"""The whole configuration of a study, and how it is validated."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from otosynth.configuration.atlas import AtlasSettings
from otosynth.configuration.base import Section
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.configuration.data import DataSettings, GroupSettings
from otosynth.configuration.figures import FigureSettings
from otosynth.configuration.methods import MethodSettings, TrainingSettings
from otosynth.configuration.patches import NormalisationSettings, PatchSettings
from otosynth.configuration.phantom import PhantomSettings
from otosynth.configuration.registration import RegistrationSettings
from otosynth.errors import InputError

# Modules beside the methods that are no method themselves.
SHARED_MODULES = ("base", "conditional_gan")


class Study(Section):
    """Every key of ``config.yaml``."""

    study: str = Field(
        pattern=r"^[A-Za-z0-9_-]+$", description="Name of the study: its folder under `results`."
    )
    label: str = Field(
        min_length=1,
        description="What the data are; stands on every figure and table, e.g. `phantom`.",
    )
    seed: int = Field(1, ge=0, description="All chance in the study derives from this number.")
    results: Path = Field(Path("results"), description="Folder of all results.")
    state: Path = Field(
        Path(".state"), description="Folder of the resumable state of trainings under way."
    )
    data: DataSettings
    groups: GroupSettings
    phantom: PhantomSettings = PhantomSettings()
    registration: RegistrationSettings = RegistrationSettings()
    classmap: ClassMapSettings = ClassMapSettings()
    normalisation: NormalisationSettings = NormalisationSettings()
    patches: PatchSettings = PatchSettings()
    training: TrainingSettings = TrainingSettings()
    methods: dict[str, MethodSettings] = Field(
        min_length=1, description="The trained methods; each name is a module in otosynth.methods."
    )
    atlas: AtlasSettings = AtlasSettings()
    figures: FigureSettings = FigureSettings()

    @field_validator("methods")
    @classmethod
    def methods_exist(cls, methods: dict[str, MethodSettings]) -> dict[str, MethodSettings]:
        """Refuse a method without a module of its name."""
        for name in methods:
            known = name.isidentifier() and importlib.util.find_spec(f"otosynth.methods.{name}")
            if not known or name in SHARED_MODULES:
                raise ValueError(f"there is no method '{name}' (no file methods/{name}.py)")
        return methods

    @model_validator(mode="after")
    def single_task_has_no_dice(self) -> "Study":
        """Refuse a Dice loss for single_task, whose network gives no class map (Eq. 5)."""
        single = self.methods.get("single_task")
        if single is not None and single.loss_weights.dice > 0:
            raise ValueError(
                "methods.single_task.loss_weights.dice must be 0: single_task gives no class map"
            )
        return self

    @model_validator(mode="after")
    def patches_suit_the_discriminator(self) -> "Study":
        """Refuse patches that D would halve to a single voxel, which has no instance norm."""
        for name, method in self.methods.items():
            smallest = 2 ** (method.discriminator_blocks + 1)
            if self.patches.size < smallest:
                raise ValueError(
                    f"patches.size must be at least {smallest} for the "
                    f"{method.discriminator_blocks} discriminator_blocks of methods.{name}"
                )
        return self


def load_study(config: Mapping[str, Any]) -> Study:
    """Validate a configuration.

    Parameters
    ----------
    config
        The merged contents of ``config.yaml`` and its overlays.

    Raises
    ------
    InputError
        Names each key that is unknown, missing, of the wrong type or out of range.
    """
    try:
        return Study.model_validate(dict(config))
    except ValidationError as error:
        lines = [_describe(problem) for problem in error.errors()]
        raise InputError("The configuration is not valid:\n" + "\n".join(lines)) from None


def _describe(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "configuration"
    if problem["type"] == "extra_forbidden":
        return f"  {key}: unknown key; check the spelling against config.yaml"
    if problem["type"] == "missing":
        return f"  {key}: missing; config.yaml shows it with its default"
    return f"  {key}: {problem['msg'].removeprefix('Value error, ')} (given: {problem['input']!r})"
