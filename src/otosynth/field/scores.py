"""How far the potential along the nerve, by a predicted map, is from that by the micro-CT's map."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import kendalltau

from otosynth.errors import InputError

Profile = npt.NDArray[np.float64]

ALL_CONTACTS = ""
"""What stands instead of a contact where a number is of all of them."""


def score_fields(
    truth: Profile, predicted: Profile, along_mm: Profile, angles_deg: Profile
) -> pd.DataFrame:
    """Score predicted potentials along the neural sites, contact by contact.

    Parameters
    ----------
    truth, predicted
        Transfer resistances (contacts, sites), ohm; NaN where there is none. Contacts that the
        truth leaves out have no scores.
    along_mm, angles_deg
        Where the sites lie along Rosenthal's canal.

    Returns
    -------
    DataFrame
        Columns class (``contact 01``, ..., or empty for the whole array), metric, value:

        - ``field_error``: length of the difference over the length of the truth, over all sites;
          of the array the median over its contacts;
        - ``field_peak_shift_mm``, ``field_peak_shift_deg``: the peak's distance, towards the apex;
          of the array the mean of its absolute value;
        - ``field_width_mm``, ``field_true_width_mm``, ``field_width_error_mm``: width of the peak
          at half its height over the lowest potential along the nerve, and predicted minus true;
          of the array the mean, of the error's absolute value;
        - ``field_rank_correlation``: Kendall's tau of the contacts' order by their peak potential;
        - ``field_ranking_kept``: 1 if that order is the truth's, else 0;
        - ``field_contacts_lost``: contacts that have no potential in the prediction (count).

    Raises
    ------
    InputError
        If the two are not of the same contacts and sites, or the truth has no contact.
    """
    if truth.shape != predicted.shape or truth.shape[1] != len(along_mm):
        raise InputError("Potentials to compare must be of the same contacts and neural sites.")
    numbers = np.flatnonzero(~np.isnan(truth).all(axis=1))
    if not numbers.size:
        raise InputError("The micro-CT's map gives no contact a potential at any neural site.")
    truth, predicted = truth[numbers], predicted[numbers]
    table = pd.DataFrame(
        [
            _score_contact(true, found, along_mm, angles_deg)
            for true, found in zip(truth, predicted, strict=True)
        ]
    )
    names = [f"contact {number + 1:02d}" for number in numbers]
    rows = table.assign(**{"class": names}).melt("class", var_name="metric")
    whole = pd.DataFrame(
        [(ALL_CONTACTS, k, v) for k, v in _of_the_array(table, truth, predicted).items()],
        columns=["class", "metric", "value"],
    )
    return pd.concat([rows, whole], ignore_index=True)


def _score_contact(
    truth: Profile, predicted: Profile, along_mm: Profile, angles_deg: Profile
) -> dict[str, float]:
    known = np.isfinite(truth) & np.isfinite(predicted)
    true_width_mm = half_height_width(truth, along_mm)
    names = ("field_error", "field_peak_shift_mm", "field_peak_shift_deg", "field_width_mm")
    if not known.any():
        return dict.fromkeys(names, np.nan) | {
            "field_true_width_mm": true_width_mm,
            "field_width_error_mm": np.nan,
        }
    difference = predicted[known] - truth[known]
    peaks = [int(np.nanargmax(profile)) for profile in (truth, predicted)]
    width_mm = half_height_width(predicted, along_mm)
    values = (
        float(np.linalg.norm(difference) / np.linalg.norm(truth[known])),
        along_mm[peaks[1]] - along_mm[peaks[0]],
        angles_deg[peaks[1]] - angles_deg[peaks[0]],
        width_mm,
    )
    return dict(zip(names, map(float, values), strict=True)) | {
        "field_true_width_mm": true_width_mm,
        "field_width_error_mm": width_mm - true_width_mm,
    }


def _of_the_array(table: pd.DataFrame, truth: Profile, predicted: Profile) -> dict[str, float]:
    lost = np.isnan(predicted).all(axis=1)
    summary = {"field_error": float(table["field_error"].median())}
    for name in ("field_peak_shift_mm", "field_peak_shift_deg", "field_width_error_mm"):
        summary[name] = float(table[name].abs().mean())
    for name in ("field_width_mm", "field_true_width_mm"):
        summary[name] = float(table[name].mean())
    tau, kept = np.nan, 0.0
    if np.count_nonzero(~lost) > 1:
        peaks = [np.nanmax(profiles[~lost], axis=1) for profiles in (truth, predicted)]
        tau = float(kendalltau(*peaks).statistic)
        true_order, order = (np.argsort(values, kind="stable") for values in peaks)
        kept = float(not lost.any() and np.array_equal(true_order, order))
    return summary | {
        "field_rank_correlation": tau,
        "field_ranking_kept": kept,
        "field_contacts_lost": float(np.count_nonzero(lost)),
    }


def half_height_width(profile: Profile, along_mm: Profile) -> float:
    """Return the width (mm) of a profile's peak at half its height over the profile's lowest value.

    Borders lie between sites, by linear interpolation. Where the profile does not fall so far
    before the line of sites ends, the peak ends there.
    """
    known = np.isfinite(profile)
    if not known.any():
        return float("nan")
    values, places = profile[known], along_mm[known]
    peak = int(np.argmax(values))
    half = (values[peak] + values.min()) / 2
    right = _crossing(values[peak:], places[peak:], half)
    left = _crossing(values[peak::-1], places[peak::-1], half)
    return float(right - left)


def _crossing(values: Profile, places: Profile, level: float) -> float:
    """Place where values that begin at a peak first fall to a level."""
    below = np.flatnonzero(values <= level)
    if not below.size:
        return float(places[-1])
    after = int(below[0])
    if after == 0:
        return float(places[0])
    share = (values[after - 1] - level) / (values[after - 1] - values[after])
    return float(places[after - 1] + share * (places[after] - places[after - 1]))
