"""Does a new CT look like what a model was trained on? Each check says so, with its numbers.

The limits are round numbers. Those of the match come from the phantom: different ears placed on
each other correlate by 0.79 to 0.88, an ear and another's mirror image by 0.51 to 0.67, and an ear
and itself by 0.99 (docs/prediction.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.prediction.model import HU_PERCENTILES, ModelFacts
from otosynth.prediction.placing import Placement
from otosynth.specimens import Side
from otosynth.volumes.measured import share_outside

Verdict = Literal["ok", "warning", "refused"]

# Longest edge of the field of view (mm): more shows both ears, and takes minutes to search.
LARGEST_FIELD_MM = 100.0
# Part of the region of training that the CT should cover.
USUAL_COVER = 0.9
# Voxel of the CT over that of the coarsest and finest training CT.
COARSER_WARNS, COARSER_REFUSES, FINER_WARNS = 1.25, 3.0, 0.67
# Percentiles that are compared: air and dense bone. What lies between depends on how much of each
# tissue the field of view holds.
ENDS = (1, 95, 99)
# Distance (HU) of such a percentile from those of the training CTs.
HU_WARNS, HU_REFUSES = 150.0, 600.0
# What scanners add to HU to store no negative number.
USUAL_INTERCEPT = 1024.0
# Correlation with the best matching training CT.
MATCH_WARNS, MATCH_REFUSES, MATCH_OF_ITSELF = 0.78, 0.70, 0.98
# By how much the right side must match better than the other.
SIDE_MARGIN = 0.05
# Angle (degrees) against the training CTs, near the end of the search.
TURNED_WARNS = 35.0


@dataclass(frozen=True)
class Check:
    """One look at a CT: what was found, what the model knows, and the verdict."""

    name: str
    found: str
    expected: str
    verdict: Verdict
    advice: str = ""


def check_field(ct: sitk.Image) -> Check:
    """Check that the field of view shows one ear and not a head."""
    longest = float(np.max(np.array(ct.GetSize()) * ct.GetSpacing()))
    too_large = longest > LARGEST_FIELD_MM
    return Check(
        "field of view",
        f"longest edge {longest:.0f} mm",
        f"one ear, at most {LARGEST_FIELD_MM:.0f} mm",
        "refused" if too_large else "ok",
        "crop the scan round one ear (40 to 60 mm)" if too_large else "",
    )


def check_voxels(ct: sitk.Image, facts: ModelFacts) -> Check:
    """Compare the largest edge of a voxel with the training CTs'."""
    edge = max(ct.GetSpacing())
    found = " × ".join(f"{mm:.3g}" for mm in ct.GetSpacing()) + " mm"
    known = [max(r.ct_spacing_mm) for r in facts.references if r.ct_spacing_mm]
    if not known:
        return Check("voxel size", found, "not known: the raw training CTs were not there", "ok")
    coarser, finer = edge / max(known), edge / min(known)
    expected = f"{min(known):.3g} to {max(known):.3g} mm" if min(known) < max(known) else (
        f"{known[0]:.3g} mm"
    )  # fmt: skip
    if coarser > COARSER_REFUSES:
        advice = "the CT shows too little detail; use a high-resolution temporal bone scan"
        return Check("voxel size", found, expected, "refused", advice)
    if coarser > COARSER_WARNS:
        advice = "coarser than in training: expect a worse prediction"
        return Check("voxel size", found, expected, "warning", advice)
    if finer < FINER_WARNS:
        advice = "finer than in training: noise and sharpness differ from what the networks know"
        return Check("voxel size", found, expected, "warning", advice)
    return Check("voxel size", found, expected, "ok")


def check_measured(measured: sitk.Image) -> Check:
    """Say how much of a CT is padding, of which there is some; nothing is predicted there."""
    return Check(
        "padding",
        f"{share_outside(measured):.1%} of the voxels were not measured",
        "left out: outside the mask",
        "ok",
    )


def check_match(best: Placement) -> Check:
    """Check that the CT shows an ear like the training ears, yet none of them."""
    found = f"correlation {best.correlation:.2f} with training ear {best.reference.ear}"
    expected = f"{MATCH_WARNS:.2f} to {MATCH_OF_ITSELF:.2f}"
    if best.correlation < MATCH_REFUSES:
        advice = (
            "the CT does not look like an ear of the training; check what it shows, its "
            "orientation, and --side"
        )
        return Check("anatomy", found, expected, "refused", advice)
    if best.correlation < MATCH_WARNS:
        advice = "the ear differs much from the training ears: look at the outline on the sheet"
        return Check("anatomy", found, expected, "warning", advice)
    if best.correlation > MATCH_OF_ITSELF:
        advice = (
            "this looks like a CT that the model was trained on, so the prediction says nothing "
            "about new ears; choose the group that tests it (STUDY/GROUP/METHOD)"
        )
        return Check("anatomy", found, expected, "warning", advice)
    return Check("anatomy", found, expected, "ok")


def check_side(placements: Sequence[Placement], given: Side | None) -> Check:
    """Check that one side matches better than the other, and that it is the one that was given."""
    best = {side: _best_of(placements, side) for side in ("left", "right")}
    found = ", ".join(f"{side} {value:.2f}" for side, value in best.items())
    side = max(best, key=lambda name: best[name])
    margin = abs(best["left"] - best["right"])
    if given is not None:
        if side != given and margin > SIDE_MARGIN:
            advice = f"the CT matches a {side} ear better than a {given} one; check --side"
            return Check("side", found, f"{given} (given)", "refused", advice)
        return Check("side", found, f"{given} (given)", "ok")
    expected = f"one side better by {SIDE_MARGIN:g}"
    if margin < SIDE_MARGIN:
        advice = "the side cannot be told from the CT; give it by --side left or --side right"
        return Check("side", found, expected, "refused", advice)
    return Check("side", found, expected, "ok")


def check_pose(best: Placement) -> Check:
    """Tell how far the CT is turned; it is brought to the training pose in any case."""
    found = f"turned by {best.turned_degrees:.0f}° against the CT of {best.reference.ear}"
    large = best.turned_degrees > TURNED_WARNS
    advice = (
        "near the end of the search; look at the outline on the sheet, or try --search 'full "
        "sphere'"
    )
    return Check(
        "pose", found, "brought to the training pose", "warning" if large else "ok",
        advice if large else "",
    )  # fmt: skip


def check_cover(best: Placement) -> Check:
    """Tell how much of the region of training the CT covers; much less, and it has no place."""
    found, expected = f"{best.covered:.0%} covered", f"at least {USUAL_COVER:.0%}"
    if best.covered >= USUAL_COVER:
        return Check("region", found, expected, "ok")
    advice = "the field of view cuts the ear; only what it covers is predicted"
    return Check("region", found, expected, "warning", advice)


def check_hu(ct: np.ndarray, mask: np.ndarray, facts: ModelFacts) -> Check:
    """Compare air and dense bone in the predicted region with the training CTs'.

    Parameters
    ----------
    ct, mask
        The CT (HU) and its field of view on the training grid (z, y, x).
    """
    found = np.percentile(ct[mask > 0], ENDS)
    places = [HU_PERCENTILES.index(percentile) for percentile in ENDS]
    known = np.array([reference.hu for reference in facts.references])[:, places]
    low, high = known.min(axis=0), known.max(axis=0)
    away = np.maximum(np.maximum(low - found, found - high), 0)
    text = (
        f"air {found[0]:.0f}, dense bone {found[-1]:.0f} HU (percentiles {ENDS[0]} and {ENDS[-1]})"
    )
    expected = f"{low[0]:.0f} to {high[0]:.0f}, {low[-1]:.0f} to {high[-1]:.0f} HU"
    if away.max() <= HU_WARNS:
        return Check("intensities", text, expected, "ok")
    # An ear without air is rare but real; bone of another density is not.
    verdict: Verdict = "refused" if away[1:].max() > HU_REFUSES else "warning"
    advice = (
        f"{away.max():.0f} HU away from the training CTs; the CT must be in Hounsfield units (air "
        "near -1000, water 0), without metal" + _offset_hint(found - (low + high) / 2)
    )
    return Check("intensities", text, expected, verdict, advice)


def _offset_hint(shift: np.ndarray) -> str:
    """Name the offset, where both ends are off by about the same.

    Air tells it: people's bone differs by hundreds of HU.
    """
    offset = float(shift[0])
    if np.ptp(shift) > 2 * HU_WARNS or abs(offset) < HU_WARNS:
        return ""
    usual = abs(abs(offset) - USUAL_INTERCEPT) < HU_WARNS
    return f"; all values are off by about {offset:.0f}" + (
        ", as without the rescale intercept" if usual else ""
    )


def check_training_data(facts: ModelFacts) -> Check:
    """Say what the model was trained on; a phantom is not what a patient's CT shows."""
    ears = len(facts.references)
    found = f"{facts.label}, {ears} training ear{'s' if ears > 1 else ''}"
    if facts.source == "phantom":
        advice = "the model has seen virtual ears only: of a real CT it predicts no real anatomy"
        return Check("training data", found, "ears like the new one", "warning", advice)
    return Check("training data", found, "ears like the new one", "ok")


def refuse_if_any(checks: Sequence[Check], force: bool) -> None:
    """Raise if a check refuses, all reasons in one message; not if the user insists.

    Raises
    ------
    InputError
        With what was found, what was expected, and what to do.
    """
    refusals = [check for check in checks if check.verdict == "refused"]
    if refusals and not force:
        lines = "\n".join(
            f"  {c.name}: {c.found} (expected: {c.expected}); {c.advice}." for c in refusals
        )
        raise InputError(
            "The CT is not like what the model was trained on, so nothing is predicted:\n"
            f"{lines}\nAdd --force to predict all the same; the quality sheet then says so."
        )


def _best_of(placements: Sequence[Placement], side: str) -> float:
    return max((p.correlation for p in placements if p.side == side), default=0.0)
