"""The rows of the benchmark table: which work, beside which peers, with which goal."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# What `met` is told: our side and the peer's, each with seconds, peak_mb and quality.
Met = Callable[[Any, Any], bool]


def times_faster(factor: float) -> Met:
    """Return the goal to need at most ``1 / factor`` of the peer's time."""
    return lambda ours, peer: peer.seconds / ours.seconds >= factor


@dataclass(frozen=True)
class Row:
    """One piece of work.

    Attributes
    ----------
    name
        By which `make bench ROWS=` finds it.
    work
        In words, for the table.
    ours, peers
        Files in ``benchmarks/rows/`` (contract: ``benchmarks/side.py``). Peers are named as the
        table shall name them; those in ``peers/`` run in the peers' environment.
    goal, met
        In words, and as a function of ours and the peer (None where there is none).
    settings
        What both sides are told.
    repeats, rounds
        Runs in each process, and processes of each side.
    by_name
        Measured only where it is named: it takes minutes.
    stage, case
        Under which heading of docs/benchmarks.md the row stands, and what it is called there.
    """

    name: str
    work: str
    ours: str
    peers: dict[str, str]
    goal: str
    met: Met
    settings: dict[str, Any] = field(default_factory=dict)
    repeats: int = 3
    rounds: int = 2
    by_name: bool = False
    stage: str = ""
    case: str = ""


def _fast_step(ours: Any, peer: Any) -> bool:
    """2.5 times as fast where the processor multiplies bfloat16 (3 is aimed at), else 1.3 times."""
    return times_faster(2.5 if ours.quality["bf16"] else 1.3)(ours, peer)


LOOPS = {
    "plain port, one loss after another": "plain_step.py",
    "plain port, one pass of G": "plain_step_shared.py",
    "MONAI in a plain loop": "peers/monai_step.py",
}
STEPS = [
    Row(
        name=f"step-{method}-{width}-{size}",
        work=f"training step, {method}, width {width}, {size}^3",
        stage=f"training steps, {method.replace('_', ' ')}",
        case=f"width {width}, {size}^3",
        ours="step_ours.py",
        peers=LOOPS,
        goal="2.5x (aim 3x) with bf16, 1.3x without",
        met=_fast_step,
        settings={"method": method, "width": width, "size": size, "steps": steps},
        repeats=rounds,
        rounds=rounds,
        by_name=by_name,
    )
    for method, width, size, steps, rounds, by_name in (
        ("single_task", 16, 32, 3, 2, False),
        ("single_task", 16, 64, 1, 1, True),
        ("single_task", 16, 96, 1, 1, True),
        ("single_task", 64, 32, 1, 1, True),
        ("single_task", 64, 64, 1, 1, True),
        ("single_task", 64, 96, 1, 1, True),
        ("multi_task", 16, 32, 3, 2, False),
        ("multi_task", 16, 64, 1, 1, False),
        ("multi_task", 16, 96, 1, 1, True),
        ("multi_task", 64, 32, 1, 1, False),
        ("multi_task", 64, 64, 1, 1, True),
        ("multi_task", 64, 96, 1, 1, True),
    )
]
RECOMPUTE = [
    Row(
        name=f"recompute-{edge}",
        work=f"training step with activations computed again, multi_task, width 64, {edge}^3",
        stage="activations computed again",
        case=f"multi task, width 64, {edge}^3",
        ours="step_ours.py",
        peers=peers,
        goal=goal,
        met=met,
        settings={
            "method": "multi_task", "width": 64, "size": edge, "steps": 1, "threads": 2,
            "recompute": True,
        },
        repeats=1,
        rounds=1,
        by_name=True,
    )
    for edge, peers, goal, met in (
        (
            96,
            {"the same step, activations kept": "step_kept.py"},
            "less memory, at most 1.5 times the time",
            lambda ours, kept: (
                ours.peak_mb < kept.peak_mb and ours.seconds <= 1.5 * kept.seconds
            ),
        ),
        (192, {}, "memory within 16 GiB", lambda ours, _: ours.peak_mb <= 16 * 1024),
    )
]  # fmt: skip
FEEDING = Row(
    name="feeding",
    work="feeding it: single_task, width 16, 32^3, patches from .nii files",
    stage="reading of patches",
    case="single task, width 16, 32^3",
    ours="feeding_ours.py",
    peers={},
    goal="at least 0.97 of the step alone",
    met=lambda ours, _: ours.quality["share"] >= 0.97,
    settings={"method": "single_task", "width": 16, "size": 32, "steps": 20, "edge": 80},
    repeats=1,
)


def _fast_and_lean(ours: Any, peer: Any) -> bool:
    lean = 2 * ours.quality["memory MB"] <= peer.quality["memory MB"]
    return lean and times_faster(1.5)(ours, peer)


WINDOWS = {
    "MONAI sliding_window_inference, 1 window": "peers/sliding_window.py",
    "MONAI sliding_window_inference, 4 windows": "peers/sliding_window_of_four.py",
}
INFERENCE = [
    Row(
        name=f"inference-{name}",
        work=f"whole-volume inference, overlap {overlap}, {edge}^3, width 16, patches 32^3",
        stage="whole-volume inference",
        case=f"overlap {overlap}, {edge}^3",
        ours="inference_ours.py",
        peers=WINDOWS,
        goal="1.5x, half the memory",
        met=_fast_and_lean,
        settings={"edge": edge, "patch": 32, "width": 16, "overlap": overlap},
        repeats=1,
        rounds=rounds,
        by_name=rounds == 1,
    )
    for name, overlap, edge, rounds in (
        ("0", 0, 128, 2),
        ("half", 0.5, 80, 2),
        # Here the volumes, and not one patch in the network, take most of the memory.
        ("0-256", 0, 256, 1),
        ("half-256", 0.5, 256, 1),
    )
]

VOLUMES = [
    Row(
        name="classmap",
        work="multi-Otsu and closing, 512^3",
        stage="class map",
        case="multi-Otsu and closing, 512^3",
        ours="classmap_ours.py",
        peers={"scikit-image and scipy": "classmap_plain.py"},
        goal="8x; memory at most 3 volumes",
        met=lambda ours, peer: times_faster(8)(ours, peer) and ours.quality["volumes"] <= 3,
        settings={"edge": 512, "bins": 256, "voxel_mm": 0.0376, "radius_mm": 0.0376},
        repeats=1,
    ),
    Row(
        name="patches",
        work="patch table of a 1024^3 specimen",
        stage="patch table",
        case="specimen of 1024^3",
        ours="patches_ours.py",
        peers={"reading the same files": "patches_reading.py"},
        goal="memory under 1 GiB; at most 1.5 times reading alone",
        met=lambda ours, peer: ours.peak_mb < 1024 and ours.seconds <= 1.5 * peer.seconds,
        settings={"edge": 1024, "size": 96, "overlap": 24},
        repeats=1,
        rounds=3,
    ),
]


def _nearest_and_fast(ours: Any, peer: Any) -> bool:
    """Nearest to the truth, and no slower than a peer that comes near it at all (0.1 mm)."""
    error_mm, peer_mm = ours.quality["TRE mm"], peer.quality["TRE mm"]
    return error_mm <= peer_mm and (peer_mm >= 0.1 or ours.seconds <= peer.seconds)


REGISTRATION = [
    Row(
        name=f"registration-{angle}",
        work=f"registration of a phantom ear turned by {angle} degrees, one thread",
        stage="registration",
        case=f"turned by {angle} degrees",
        ours="registration_ours.py",
        peers={
            "SimpleITK": "registration_simpleitk.py",
            "itk-elastix": "peers/registration_elastix.py",
            "ANTs": "peers/registration_ants.py",
        },
        goal="lowest TRE; no slower than a peer with a TRE below 0.1 mm",
        met=_nearest_and_fast,
        # The side that makes elastix quicker.
        settings={"specimen": "V1", "angle": angle, "fixed": "ct"},
        repeats=1,
    )
    for angle in (0, 20, 45)
]
ATLAS = Row(
    name="atlas",
    work="atlas vote of one target, 4 atlases of the phantom, one thread",
    stage="atlas vote",
    case="4 atlases, one target",
    ours="atlas_ours.py",
    peers={"ANTs SyN at its defaults": "peers/atlas_ants.py"},
    goal="3x at equal or better Dice",
    met=lambda ours, peer: (
        times_faster(3)(ours, peer) and ours.quality["Dice"] >= peer.quality["Dice"]
    ),
    settings={"spacing_mm": 0.12},
    repeats=1,
    rounds=1,
)
PLAIN_CG = {"scipy, conjugate gradients, diagonal": "field_plain_cg.py"}
FIELD = [
    Row(
        name="field-28",
        work="electric field, 28^3 and its surroundings, 12 contacts",
        stage="electric field",
        case="28^3, 12 contacts",
        ours="field_ours.py",
        peers=PLAIN_CG | {"scipy, direct (SuperLU)": "field_direct.py"},
        goal="faster than either, the same to 1e-5",
        met=lambda ours, peer: (
            peer.seconds > ours.seconds and peer.quality["largest difference"] < 1e-5
        ),
        settings={"edge": 28, "contacts": 12},
        repeats=1,
    ),
    Row(
        name="field-62",
        work="electric field, 62^3 and its surroundings, 8 contacts",
        stage="electric field",
        case="62^3, 8 contacts",
        ours="field_ours.py",
        peers=PLAIN_CG,
        goal="faster than plain conjugate gradients, the same to 1e-5",
        met=lambda ours, peer: (
            peer.seconds > ours.seconds and peer.quality["largest difference"] < 1e-5
        ),
        settings={"edge": 62, "contacts": 8},
        repeats=1,
        rounds=1,
        by_name=True,
    ),
    # Plain conjugate gradients would take most of an hour here; the rows above compare with it.
    Row(
        name="field-125",
        work="electric field, 125^3 and its surroundings, 22 contacts, ours on two threads",
        stage="electric field",
        case="125^3, 22 contacts",
        ours="field_ours.py",
        peers={},
        goal="within 3 minutes",
        met=lambda ours, _: ours.seconds <= 180,
        settings={"edge": 125, "contacts": 22, "threads": 2},
        repeats=1,
        rounds=1,
        by_name=True,
    ),
    Row(
        name="field-300",
        work="electric field, 300^3 and its surroundings, 1 contact",
        stage="electric field",
        case="300^3, 1 contact",
        ours="field_ours.py",
        peers={},
        goal="memory within 16 GiB",
        met=lambda ours, _: ours.peak_mb <= 16 * 1024,
        settings={"edge": 300, "contacts": 1},
        repeats=1,
        rounds=1,
        by_name=True,
    ),
]
BARE = {"bare Snakemake, same rules, jobs and files": "dag_bare.py"}
START = [
    Row(
        name="dag-6",
        work="DAG start: dry run of the default study, 6 specimens (CPU s)",
        stage="start of the DAG",
        case="6 specimens",
        ours="dag_ours.py",
        peers=BARE,
        goal="at most 1.5x its time",
        met=times_faster(1 / 1.5),
        settings={"specimens": 6},
    ),
    Row(
        name="dag-60",
        work="DAG start: dry run with 60 specimens, 30 groups, 1037 jobs (CPU s)",
        stage="start of the DAG",
        case="60 specimens, 1037 jobs",
        ours="dag_ours.py",
        peers=BARE,
        goal="at most 1.5x its time",
        met=times_faster(1 / 1.5),
        settings={"specimens": 60},
        repeats=1,
    ),
    Row(
        name="first-step",
        work="training job, process start to first step saved (CPU s)",
        stage="start-up of a training",
        case="first step saved",
        ours="first_step_ours.py",
        peers={"importing everything": "first_step_everything.py"},
        goal="under 3 s",
        met=lambda ours, _: ours.seconds < 3,
    ),
    Row(
        name="miniature",
        work="miniature study, two jobs at a time",
        stage="whole study",
        case="miniature, two jobs at a time",
        ours="miniature_ours.py",
        peers={"float32, contiguous, one job at a time": "miniature_plain.py"},
        goal="at most 0.6 of its time",
        met=times_faster(1 / 0.6),
        settings={"cores": 2},
        repeats=1,
        rounds=1,
    ),
]

ROWS: list[Row] = [
    *STEPS,
    *RECOMPUTE,
    FEEDING,
    *INFERENCE,
    *VOLUMES,
    *REGISTRATION,
    ATLAS,
    *FIELD,
    *START,
]
