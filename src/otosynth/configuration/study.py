"""The whole configuration of a study, and how it is validated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)

from otosynth.configuration.atlas import AtlasSettings
from otosynth.configuration.base import Section, describe
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.configuration.data import DataSettings, GroupSettings
from otosynth.configuration.field import FieldSettings
from otosynth.configuration.figures import FigureSettings
from otosynth.configuration.methods import settings_of, with_module
from otosynth.configuration.methods.base import MethodSettings
from otosynth.configuration.patches import NormalisationSettings, PatchSettings
from otosynth.configuration.phantom import PhantomSettings
from otosynth.configuration.registration import RegistrationSettings
from otosynth.configuration.statistics import StatisticsSettings
from otosynth.configuration.training import TrainingSettings
from otosynth.configuration.yardsticks import YardstickSettings
from otosynth.errors import InputError
from otosynth.metric_registry import Subject, metric_of
from otosynth.rows import RESERVED, YARDSTICKS

# A block of the section `methods`, with the keys of its own method.
MethodBlock = Annotated[SerializeAsAny[MethodSettings], BeforeValidator(settings_of)]
# The block whose networks measure what a segmentor of micro-CTs sees in synthetic ones.
SEGMENTOR = "microct_segmentor"
# What a block that borrows another's networks says for itself.
BORROWER_KEYS = {"title", "weights_of", "prediction", "classes_from"}


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
    methods: dict[str, MethodBlock] = Field(
        min_length=1,
        description="The trained methods. A block's name is a module in otosynth.methods, or its "
        "key `module` names one.",
    )
    atlas: AtlasSettings = AtlasSettings()
    yardsticks: YardstickSettings = YardstickSettings()
    electric_field: FieldSettings = FieldSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    figures: FigureSettings = FigureSettings()

    @field_validator("methods", mode="before")
    @classmethod
    def methods_are_known(cls, blocks: Any) -> Any:
        """Name the module of every block; a block that is null is left out.

        So an overlay can drop a method of config.yaml.
        """
        if not isinstance(blocks, Mapping):
            return blocks
        return {
            name: with_module(name, block) if isinstance(block, Mapping) else block
            for name, block in blocks.items()
            if block is not None
        }

    @field_validator("methods")
    @classmethod
    def names_are_free(cls, blocks: dict[str, MethodSettings]) -> dict[str, MethodSettings]:
        """Refuse a block that has the name of a yardstick, an atlas or a ceiling."""
        for name in blocks:
            if name in RESERVED:
                raise ValueError(f"a block must not be called {name}, which every study has")
        return blocks

    @model_validator(mode="after")
    def blocks_name_each_other(self) -> "Study":
        """Refuse a block whose networks another block needs and that is not there or not fit."""
        for name, method in self.methods.items():
            for needed in method.requires:
                lender = self.methods.get(needed)
                if lender is None or lender.module != needed or lender.weights_of is not None:
                    raise ValueError(f"methods.{name} needs a trained block methods.{needed}")
                if lender.factor != method.factor:
                    raise ValueError(
                        f"methods.{name}.factor and methods.{needed}.factor must be the same"
                    )
            if method.weights_of is not None:
                self._check_weights(name, method, method.weights_of)
        return self

    def _check_weights(self, name: str, method: MethodSettings, source: str) -> None:
        lender = self.methods.get(source)
        if lender is None or lender.weights_of is not None:
            raise ValueError(f"methods.{name}.weights_of: there is no trained block '{source}'")
        differing = sorted(
            key for key, value in method.model_dump(exclude=BORROWER_KEYS).items()
            if lender.model_dump().get(key) != value
        )  # fmt: skip
        if differing:
            raise ValueError(
                f"methods.{name} predicts with the networks of {source}, so it must have the same "
                f"{', '.join(differing)}"
            )

    @model_validator(mode="after")
    def reference_is_tested(self) -> "Study":
        """Refuse a reference that no table has."""
        reference = self.statistics.reference
        trained = [name for name, method in self.methods.items() if method.tested]
        tested = [*self.atlas.methods(), *trained, *YARDSTICKS]
        if reference is not None and reference not in tested:
            raise ValueError(
                f"statistics.reference must be one of {', '.join(tested)}, not {reference}"
            )
        return self

    @model_validator(mode="after")
    def metric_is_measured(self) -> "Study":
        """Refuse a metric for Figures 7 and 9 that the study or its reference does not have."""
        metric = metric_of(self.figures.metric)
        tested = {name: method for name, method in self.methods.items() if method.tested}
        imaging = [name for name, method in tested.items() if method.gives_microct]
        if metric.subject is Subject.FIELD and not self.electric_field.compute:
            raise ValueError(f"figures.metric {metric.name} needs electric_field.compute: true")
        if metric.subject is Subject.SEGMENTED and SEGMENTOR not in self.methods:
            raise ValueError(f"figures.metric {metric.name} needs a block methods.{SEGMENTOR}")
        if metric.subject not in (Subject.MICROCT, Subject.SEGMENTED):
            return self
        if not imaging:
            raise ValueError(
                f"figures.metric {metric.name} needs a method that gives a micro-CT; none does"
            )
        if self.statistics.compare and self.statistics.reference not in imaging:
            raise ValueError(
                f"figures.metric {metric.name} is of synthetic micro-CTs, so statistics.reference "
                f"must be one of {', '.join(imaging)}"
            )
        return self

    @model_validator(mode="after")
    def samples_are_possible(self) -> "Study":
        """Refuse samples of networks without dropout, or that do not give image and classes."""
        for name, method in self.methods.items():
            if not method.prediction.samples:
                continue
            if not (method.gives_microct and method.gives_classes):
                raise ValueError(
                    f"methods.{name}.prediction.samples must be 0: its networks do not give both a "
                    "micro-CT and classes"
                )
            if not getattr(method, "dropout", 0):
                raise ValueError(
                    f"methods.{name}.prediction.samples must be 0: its networks have no dropout"
                )
        return self

    @model_validator(mode="after")
    def patches_suit_the_networks(self) -> "Study":
        """Refuse patches that a network would halve to nothing."""
        for name, method in self.methods.items():
            smallest = method.smallest_patch
            if self.patches.size < smallest or self.patches.size % method.patch_multiple:
                raise ValueError(
                    f"patches.size must be at least {smallest} and a multiple of "
                    f"{method.patch_multiple} for methods.{name}"
                )
            edge = method.prediction.edge
            if edge is not None and (edge < smallest or edge % method.patch_multiple):
                raise ValueError(
                    f"methods.{name}.prediction.edge must be at least {smallest} and a multiple of "
                    f"{method.patch_multiple}"
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
        raise InputError(f"The configuration is not valid:\n{describe(error)}") from None
