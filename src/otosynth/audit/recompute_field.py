"""Scores of electric fields, calculated again from the stored potentials by other code.

Nothing of :mod:`otosynth.field` is used: widths are summed piece by piece, ranks counted by pairs.
Definitions are those of docs/field.md. The potentials themselves are solved again by
``otosynth audit replay``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from otosynth.provenance.places import Places

SCALARS = ("field_error", "field_peak_shift_mm", "field_peak_shift_deg", "field_width_mm",
           "field_true_width_mm", "field_width_error_mm")  # fmt: skip
ABSOLUTE = {"field_peak_shift_mm", "field_peak_shift_deg", "field_width_error_mm"}


def field_scores_of(
    places: Places, roles: Mapping[str, list[str]]
) -> Iterator[tuple[str, str, str, float]]:
    """Yield grid, class, metric and value of one prediction's electric field.

    Parameters
    ----------
    roles
        Names of the files that its scores were computed from, by their roles.
    """
    files = {role: places.path_of(names[0]) for role, names in roles.items() if names}
    points = pd.read_csv(files["electrodes"])
    sites = points[points["kind"] == "site"].sort_values("number")
    truth, predicted = (_potentials(files[name]) for name in ("truth", "predicted"))
    # Contacts that the truth leaves out are not scored.
    truth = truth.dropna(axis=1, how="all")
    predicted = predicted[truth.columns]
    found: list[dict[str, float]] = []
    for name in truth.columns:
        true, other = truth[name].to_numpy(float), predicted[name].to_numpy(float)
        found.append(_of_contact(true, other, sites["along_mm"].to_numpy(), sites["angle_deg"]))
        for metric in SCALARS:
            yield "field", name, metric, found[-1][metric]
    for metric in SCALARS:
        values = [scores[metric] for scores in found]
        values = [abs(v) if metric in ABSOLUTE else v for v in values if not np.isnan(v)]
        middle = np.median if metric == "field_error" else np.mean
        yield "field", "", metric, float(middle(values)) if values else np.nan
    for metric, value in _ranks(truth, predicted).items():
        yield "field", "", metric, value


def _potentials(path: Path) -> pd.DataFrame:
    return pd.read_csv(path).sort_values("site").drop(columns="site")


def _of_contact(
    truth: np.ndarray, predicted: np.ndarray, along_mm: np.ndarray, angle_deg: pd.Series
) -> dict[str, float]:
    both = ~np.isnan(truth) & ~np.isnan(predicted)
    scores = dict.fromkeys(SCALARS, np.nan)
    scores["field_true_width_mm"] = _width_mm(truth, along_mm)
    if not both.any():
        return scores
    power = float(((predicted - truth)[both] ** 2).sum() / (truth[both] ** 2).sum())
    tops = [pd.Series(p).idxmax() for p in (truth, predicted)]
    angles = angle_deg.reset_index(drop=True)
    width = _width_mm(predicted, along_mm)
    return scores | {
        "field_error": power**0.5,
        "field_peak_shift_mm": float(along_mm[tops[1]] - along_mm[tops[0]]),
        "field_peak_shift_deg": float(angles[tops[1]] - angles[tops[0]]),
        "field_width_mm": width,
        "field_width_error_mm": width - scores["field_true_width_mm"],
    }


def _width_mm(profile: np.ndarray, along_mm: np.ndarray) -> float:
    """Sum the parts of the line round the peak that lie above half its height."""
    values, places = profile[~np.isnan(profile)], along_mm[~np.isnan(profile)]
    if not len(values):
        return np.nan
    half, peak = (values.max() + values.min()) / 2, int(values.argmax())
    total = 0.0
    for step in (1, -1):
        place = peak
        while 0 <= place + step < len(values):
            here, there = values[place], values[place + step]
            length = abs(places[place + step] - places[place])
            if there <= half:
                total += length * (here - half) / (here - there) if here > half else 0.0
                break
            total += length
            place += step
    return float(total)


def _ranks(truth: pd.DataFrame, predicted: pd.DataFrame) -> dict[str, float]:
    """Kendall's tau-b by counting pairs, and whether any pair of contacts changes its order."""
    kept = ~predicted.isna().all(axis=0).to_numpy()
    a, b = (np.nanmax(t.to_numpy()[:, kept], axis=0) for t in (truth, predicted))
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    signs = np.array([(np.sign(a[i] - a[j]), np.sign(b[i] - b[j])) for i, j in pairs]).reshape(
        -1, 2
    )
    scale = float(np.sqrt((signs[:, 0] != 0).sum() * (signs[:, 1] != 0).sum()))
    tau = float((signs[:, 0] * signs[:, 1]).sum() / scale) if scale else np.nan
    same = bool((signs[:, 0] == signs[:, 1]).all()) and kept.all() and len(a) > 1
    return {
        "field_rank_correlation": tau,
        "field_ranking_kept": float(same),
        "field_contacts_lost": float((~kept).sum()),
    }
