"""One block of settings for each method that is trained (method 6 and 7)."""

from typing import Literal

from pydantic import Field, model_validator

from otosynth.configuration.base import Section


class TrainingSettings(Section):
    """What all trainings share."""

    seeds: tuple[int, ...] = Field((1,), min_length=1, description="One training per seed.")
    threads: int = Field(
        1,
        ge=1,
        description="Arithmetic threads of a training and of inference. Results depend on it, "
        "so it is never taken from --cores.",
    )
    processes: int = Field(
        1,
        ge=1,
        description="Processes that train one model together, each with a GPU of its own: the "
        "effective batch, 1 in the thesis. On Slurm they may lie on several nodes.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="`auto`: a CUDA GPU where there is one."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="`auto`: bfloat16 where the device is fast at it. Resolved at the first step, "
        "then kept.",
    )
    state_minutes: float = Field(
        10.0, gt=0, description="Longest time between two saves of the resumable state (minutes)."
    )


class LossWeights(Section):
    """Weights of the generator's losses (thesis Eq. 5 and 6)."""

    adversarial: float = Field(1.0, ge=0, description="Adversarial loss, Eq. 1.")
    weighted_l1: float = Field(5.0, ge=0, description="Class-weighted L1 loss, Eq. 2.")
    perception: float = Field(5.0, ge=0, description="Perception loss, Eq. 3.")
    dice: float = Field(0.0, ge=0, description="Dice loss, Eq. 4; needs a method with a class map.")


class MethodSettings(Section):
    """A method's networks, losses and schedule."""

    title: str = Field(description="Name in figures and tables.")
    factor: int = Field(1, ge=1, le=8, description="Down-sampling of the pair before training.")
    width: int = Field(64, ge=2, description="Channels after the first convolution of G and D.")
    residual_blocks: int = Field(6, ge=1, description="Residual blocks of G.")
    dropout: float = Field(0.5, ge=0, lt=1, description="Dropout in the residual blocks: noise z.")
    norm: Literal["instance", "layer"] = Field(
        "instance", description="Norm in G; `layer` keeps a patch's absolute intensity."
    )
    upsampling: Literal["nearest", "transposed"] = Field(
        "nearest", description="Nearest neighbour and convolution, or transposed convolution."
    )
    discriminator_blocks: int = Field(3, ge=1, le=5, description="Strided blocks of D.")
    adversarial: Literal["log", "least_squares"] = Field(
        "log", description="Adversarial loss: Eq. 1, or least squares."
    )
    loss_weights: LossWeights
    epochs: int = Field(200, ge=1, description="Epochs in all.")
    constant_epochs: int = Field(
        100, ge=0, description="Epochs at the full rate; then it falls linearly to 0."
    )
    steps_per_epoch: int | None = Field(
        None, ge=1, description="Patches drawn per epoch, by seed; null: every patch."
    )
    learning_rate: float = Field(2e-4, gt=0, description="Rate of Adam for G and D.")
    adam_betas: tuple[float, float] = Field((0.5, 0.999), description="Adam's two decay rates.")
    checkpoint_every: int = Field(5, ge=1, description="Epochs between checkpoints of G and D.")

    @model_validator(mode="after")
    def adam_and_losses_are_possible(self) -> "MethodSettings":
        """Refuse decay rates that Adam does not take, and a generator without any loss."""
        if not all(0 <= beta < 1 for beta in self.adam_betas):
            raise ValueError("adam_betas must be two numbers from 0 to below 1")
        if not any(self.loss_weights.model_dump().values()):
            raise ValueError("loss_weights must not all be 0")
        return self

    @model_validator(mode="after")
    def schedule_fits(self) -> "MethodSettings":
        """Refuse a schedule that never saves or that decays after its end."""
        if self.constant_epochs > self.epochs:
            raise ValueError("constant_epochs must not exceed epochs")
        if self.checkpoint_every > self.epochs:
            raise ValueError("checkpoint_every must not exceed epochs")
        return self
