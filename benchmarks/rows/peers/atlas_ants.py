"""ANTs' atlas vote of one target: SyN at its defaults, nearest neighbour, majority.

``ants.registration(type_of_transform="SyN")`` (affine, then SyN, Mattes) on the CTs and classes
that ours left; ties as ours: soft tissue, air, bone; no vote outside an atlas.
"""

from pathlib import Path

import ants
import numpy as np

TARGET, ATLASES = "V1", ("V2", "V3", "V4", "V5")
NO_VOTE, TIE_ORDER = 255, (1, 0, 2)


def prepare(folder: Path, settings: dict) -> dict[str, ants.ANTsImage]:
    """Read the ears that ours left."""
    return {
        f"{ear}_{name}": ants.image_read(str(folder / f"{ear}_{name}.nii"))
        for ear in (TARGET, *ATLASES)
        for name in ("ct", "labels")
    }


def run(prepared: dict[str, ants.ANTsImage]) -> dict:
    """Register every atlas, carry its classes, vote."""
    target = prepared[f"{TARGET}_ct"]
    votes = []
    for name in ATLASES:
        found = ants.registration(target, prepared[f"{name}_ct"], type_of_transform="SyN")
        carried = ants.apply_transforms(
            target, prepared[f"{name}_labels"], found["fwdtransforms"],
            interpolator="nearestNeighbor", defaultvalue=NO_VOTE,
        )  # fmt: skip
        votes.append(carried.numpy())
    counts = [np.sum([vote == label for vote in votes], axis=0) for label in TIE_ORDER]
    fused = np.array(TIE_ORDER)[np.argmax(counts, axis=0)]
    truth = prepared[f"{TARGET}_labels"].numpy()
    return {"Dice": float(np.median([_dice(fused == k, truth == k) for k in TIE_ORDER]))}


def _dice(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())
