"""What the settings of every trained method share: its schedule and how it predicts."""

from typing import ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from otosynth.configuration.base import Section

PriorKind = Literal["microct", "classes"]


class PredictionSettings(Section):
    """How whole ears are predicted from patches (thesis III.1, and what it left for later)."""

    overlap: float = Field(
        0.0,
        ge=0,
        le=0.75,
        description="Overlap of neighbouring patches in testing, as a share of their edge; "
        "0: none, as published. Overlapping patches are blended by a Gaussian.",
    )
    samples: int = Field(
        0,
        ge=0,
        description="Predictions with dropout on that are averaged; their spread is the "
        "uncertainty map. 0: one prediction with dropout off.",
    )
    edge: int | None = Field(
        None,
        ge=1,
        description="Edge of a patch in testing (voxels); along an axis that is shorter one patch "
        "covers it whole. null: `patches.size`.",
    )
    flips: bool = Field(
        False,
        description="Predict each patch and its seven mirrored versions, and average them; their "
        "spread is in the uncertainty map.",
    )


class PriorChanges(NamedTuple):
    """How the priors of training patches are changed, so that a network does not lean on them.

    Attributes
    ----------
    dropout
        Share of the patches whose prior is 0 everywhere, as where no ear reaches.
    shift
        By how many voxels along each axis a prior is shifted at random, at most.
    """

    dropout: float = 0.0
    shift: int = 0


NO_CHANGES = PriorChanges()


class MethodSettings(Section):
    """Settings that every method has; a method adds its networks and its losses.

    Attributes
    ----------
    paired
        Whether CT and micro-CT of a training step are of the same ear.
    requires
        Blocks whose selected networks the training of this one needs.
    gives_microct
        Whether it predicts a micro-CT.
    gives_classes
        Whether its networks predict the classes; otherwise the class map is Otsu and the closing
        on the synthetic micro-CT.
    tested
        Whether it predicts tested ears; a network that only serves others does not.
    """

    paired: ClassVar[bool] = True
    requires: ClassVar[tuple[str, ...]] = ()
    gives_microct: ClassVar[bool] = True
    gives_classes: ClassVar[bool] = True
    tested: ClassVar[bool] = True

    title: str = Field(description="Name in figures and tables.")
    module: str = Field(
        "", description="File in otosynth.methods; empty: the name of the block itself."
    )
    weights_of: str | None = Field(
        None,
        description="Another block with the same networks: this one is not trained, it predicts "
        "with that one's.",
    )
    factor: int = Field(1, ge=1, le=8, description="Down-sampling of the pair before training.")
    epochs: int = Field(200, ge=1, description="Epochs in all.")
    constant_epochs: int = Field(
        100,
        ge=0,
        description="Epochs at the full rate; then it falls linearly to 0. For `schedule: linear`.",
    )
    steps_per_epoch: int | None = Field(
        None,
        ge=1,
        description="Steps of an epoch, each on `batch_size` patches drawn by seed; several "
        "processes share them. null: every patch once.",
    )
    batch_size: int = Field(
        1, ge=1, description="Patches of a step, in each process; 1 in the thesis."
    )
    learning_rate: float = Field(2e-4, gt=0, description="Rate of Adam for all networks.")
    schedule: Literal["linear", "cosine"] = Field(
        "linear",
        description="How the rate changes: `constant_epochs`, then linearly to 0; or, at every "
        "step, a rise over `warmup` and half a cosine to 0.",
    )
    warmup: float = Field(
        0.06,
        ge=0,
        lt=1,
        description="Share of all steps over which the rate rises, for `schedule: cosine`.",
    )
    adam_betas: tuple[float, float] = Field((0.5, 0.999), description="Adam's two decay rates.")
    weight_decay: float = Field(
        0.0,
        ge=0,
        description="Decoupled decay of the weights (AdamW): each step takes this times the rate.",
    )
    gradient_clip: float | None = Field(
        None, gt=0, description="Largest norm of a step's gradients; longer ones are scaled."
    )
    checkpoint_every: int = Field(5, ge=1, description="Epochs between checkpoints.")
    augmentation: Literal["none", "flips", "flips_and_axes"] = Field(
        "none",
        description="`flips`: each training patch is mirrored at random along each axis; "
        "`flips_and_axes`: its axes also change places.",
    )
    cochlea_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the training patches that are drawn near the cochlea, each by how "
        "much of that region it holds (column `cochlea` of the patch table); the others are drawn "
        "from all.",
    )
    jitter: bool = Field(
        False,
        description="Shift each training patch at random, by up to half the distance of "
        "neighbours along each axis.",
    )
    prediction: PredictionSettings = PredictionSettings()

    @property
    def prior_kind(self) -> PriorKind | None:
        """What the group's training ears, registered to the ear, say of it beforehand.

        Their mean micro-CT, their votes for each class, or nothing.
        """
        return None

    @property
    def prior_changes(self) -> PriorChanges:
        """How the priors of training patches are changed."""
        return NO_CHANGES

    @property
    def gives_confidence(self) -> bool:
        """Whether it predicts a micro-CT and classes several times, and so says how sure it is."""
        averages = self.prediction.samples > 0 or self.prediction.flips
        return averages and self.gives_microct and self.gives_classes

    @property
    def smallest_patch(self) -> int:
        """Smallest edge of a patch that the networks take (voxels)."""
        return 8

    @property
    def patch_multiple(self) -> int:
        """What a patch's edge must be a multiple of, since the networks halve it (voxels)."""
        return 4

    @property
    def first_selectable_epoch(self) -> int:
        """First epoch that may be selected; earlier ones only prepare the networks."""
        return 1

    @model_validator(mode="after")
    def adam_is_possible(self) -> "MethodSettings":
        """Refuse decay rates that Adam does not take."""
        if not all(0 <= beta < 1 for beta in self.adam_betas):
            raise ValueError("adam_betas must be two numbers from 0 to below 1")
        return self

    @model_validator(mode="after")
    def schedule_fits(self) -> "MethodSettings":
        """Refuse a schedule that never saves or that decays after its end."""
        if self.schedule == "linear" and self.constant_epochs > self.epochs:
            raise ValueError("constant_epochs must not exceed epochs")
        if self.checkpoint_every > self.epochs:
            raise ValueError("checkpoint_every must not exceed epochs")
        return self
