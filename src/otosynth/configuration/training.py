"""What all trainings share (docs/method.md, section 7)."""

from typing import Literal

from pydantic import Field

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
    petaflop: float | None = Field(
        None,
        gt=0,
        description="Operations of each training, in 1e15, counted on one step of each kind of "
        "epoch before the first: every method gets the same compute, and the steps of every epoch "
        "follow from it. null: the schedule's own.",
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="Checkpoints without a lower validation score, once the rate has begun to "
        "fall, after which a training ends: its plateau. null: all epochs are trained.",
    )
    recompute: bool = Field(
        False,
        description="Compute activations again in the backward pass instead of keeping them: "
        "larger patches fit into the memory, for about a third more operations.",
    )
    state_minutes: float = Field(
        10.0, gt=0, description="Longest time between two saves of the resumable state (minutes)."
    )
