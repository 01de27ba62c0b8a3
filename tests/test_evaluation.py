"""Scores in long form, on the micro-CT grid and beside it on the prediction's own."""

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.evaluation import score
from otosynth.scores import (
    SCORE_COLUMNS,
    cochlear_dice_view,
    dice_view,
    gather,
    perceptual_error_view,
    with_kind,
)
from otosynth.volumes.grids import downsample, downsample_labels, downsample_mask


@pytest.fixture
def truth(pairs):
    def image(array):
        result = sitk.GetImageFromArray(array)
        result.SetSpacing((0.1, 0.1, 0.1))
        result.SetOrigin((5, -3, 2))
        return result

    pair = pairs["E1"]
    return {name: image(getattr(pair, name)) for name in ("classmap", "microct", "mask")}


def value(table, **conditions):
    for column, wanted in conditions.items():
        table = table[table[column] == wanted]
    assert len(table) == 1
    return table["value"].iloc[0]


def test_a_perfect_prediction_scores_perfectly(truth):
    predicted = {name: truth[name] for name in ("classmap", "microct")}
    table = score(predicted, truth, {}, (0.0, 1.0))
    assert set(table["grid"]) == {"microct"}
    for name in ("air", "soft", "bone"):
        assert value(table, **{"class": name, "metric": "dice"}) == 1
        assert value(table, **{"class": name, "metric": "hd95_mm"}) == 0
        assert value(table, **{"class": name, "metric": "pixel_accuracy"}) == 1
    assert value(table, metric="perceptual_error") == 0
    assert value(table, metric="ssim_local") == pytest.approx(1)
    assert value(table, metric="psnr_local_db") == np.inf


def test_a_coarser_prediction_is_scored_on_both_grids(truth):
    reduce = {"classmap": downsample_labels, "microct": downsample, "mask": downsample_mask}
    own = {name: how(truth[name], 2) for name, how in reduce.items()}
    table = score({n: own[n] for n in ("classmap", "microct")}, truth, own, (0.0, 1.0))
    exact = value(table, grid="own", **{"class": "soft", "metric": "dice"})
    brought = value(table, grid="microct", **{"class": "soft", "metric": "dice"})
    assert exact == 1
    assert 0.85 < brought < 1, "steps of the coarse grid cost something, a shift would cost more"


def test_the_cochlea_is_scored_on_the_micro_ct_grid_where_its_place_is_told(truth):
    reduce = {"classmap": downsample_labels, "microct": downsample, "mask": downsample_mask}
    own = {name: how(truth[name], 2) for name, how in reduce.items()}
    predicted = {"classmap": own["classmap"]}
    without = score(predicted, truth, own, (0.0, 1.0))
    everywhere = score(predicted, truth | {"cochlea": truth["mask"]}, own, (0.0, 1.0))
    added = everywhere[~everywhere["metric"].isin(without["metric"])]
    assert set(added["grid"]) == {"microct"}
    for name in ("soft", "bone"):
        whole = value(everywhere, grid="microct", **{"class": name, "metric": "dice"})
        assert value(added, **{"class": name, "metric": "cochlear_dice"}) == whole
    kept = everywhere[everywhere["metric"].isin(without["metric"])]
    assert kept.to_csv(index=False) == without.to_csv(index=False)
    nowhere = score(predicted, truth | {"cochlea": truth["mask"] * 0}, own, (0.0, 1.0))
    assert np.isnan(value(nowhere, metric="cochlear_mean_dice"))


def test_local_scores_see_the_voxel_size_of_each_grid(truth):
    reduce = {"classmap": downsample_labels, "microct": downsample, "mask": downsample_mask}
    own = {name: how(truth[name], 2) for name, how in reduce.items()}
    synthetic = own["microct"] * 0.5
    table = score({"classmap": own["classmap"], "microct": synthetic}, truth, own, (0.0, 1.0))
    fine, coarse = (value(table, grid=g, metric="psnr_local_db") for g in ("microct", "own"))
    # The same region in mm, so the same error but for the steps of the coarse grid.
    assert fine == pytest.approx(coarse, abs=0.5)


def test_what_a_segmentor_says_of_the_synthetic_micro_ct_is_scored_beside(truth):
    reduce = {"classmap": downsample_labels, "microct": downsample, "mask": downsample_mask}
    own = {name: how(truth[name], 2) for name, how in reduce.items()}
    predicted = {name: own[name] for name in ("classmap", "microct")}
    without = score(predicted, truth, own, (0.0, 1.0))
    # All soft on the coarse grid: brought to the micro-CT grid, and scored there only.
    table = score(predicted | {"segmented": own["classmap"] * 0 + 1}, truth, own, (0.0, 1.0))
    added = table[~table["metric"].isin(without["metric"])]
    assert set(added["grid"]) == {"microct"}
    assert len(added) == 10
    assert value(added, **{"class": "bone", "metric": "perceptibility_dice"}) == 0
    soft = value(added, **{"class": "soft", "metric": "perceptibility_dice"})
    assert 0 < soft < 1
    assert value(added, metric="s_score", **{"class": ""}) == pytest.approx(soft / 3)
    kept = table[table["metric"].isin(without["metric"])]
    assert kept.to_csv(index=False) == without.to_csv(index=False)


def test_an_atlas_vote_has_no_micro_ct_to_score(truth):
    table = score({"classmap": truth["classmap"]}, truth, {}, (0.0, 1.0))
    assert set(table["metric"]) == {"dice", "assd_mm", "hd95_mm", "mean_dice"}


def test_the_mean_dice_is_that_of_the_classes_there_are(truth):
    soft_everywhere = {"classmap": truth["classmap"] * 0 + 1}
    table = score(soft_everywhere, truth, {}, (0.0, 1.0))
    soft = value(table, **{"class": "soft", "metric": "dice"})
    assert 0 < soft < 1
    assert value(table, metric="mean_dice", **{"class": ""}) == pytest.approx(soft / 3)
    # A class that is in neither has no Dice.
    without_bone = truth | {"classmap": sitk.Minimum(truth["classmap"], 1)}
    table = score(soft_everywhere, without_bone, {}, (0.0, 1.0))
    soft = value(table, **{"class": "soft", "metric": "dice"})
    assert value(table, metric="mean_dice") == pytest.approx(soft / 2)


def test_gathered_scores_say_where_each_number_is_from(tmp_path, truth):
    files = []
    for specimen, method in (("E1", "atlas"), ("E2", "multi_task")):
        file = tmp_path / specimen / method / "seed-1.csv"
        file.parent.mkdir(parents=True)
        predicted = {name: truth[name] for name in ("classmap", "microct")}
        if method == "atlas":
            # All soft: no class has a surface in both, so the distances are NaN.
            predicted = {"classmap": truth["classmap"] * 0 + 1}
        # Of E2 nothing tells where the cochlea is.
        region = truth["mask"] if specimen == "E1" else truth["mask"] * 0
        score(predicted, truth | {"cochlea": region}, {}, (0.0, 1.0)).to_csv(file, index=False)
        files.append(file)
    scores = gather(files, "phantom", "phantom", {"E1": "A", "E2": "B"})
    assert list(scores.columns) == SCORE_COLUMNS
    assert set(scores["group"]) == {"A", "B"}
    dice = dice_view(scores)
    assert list(dice.columns) == ["study", "group", "specimen", "method", "class", "dice"]
    assert len(dice) == 6
    marked = with_kind(dice)
    assert list(marked.columns)[3:5] == ["method", "kind"]
    assert marked.groupby("method")["kind"].unique().str[0].to_dict() == {
        "atlas": "atlas", "multi_task": "trained",
    }  # fmt: skip
    assert np.allclose(dice.query("method == 'multi_task'")["dice"], 1)
    assert scores.query("metric == 'hd95_mm' and method == 'atlas'")["value"].isna().sum() == 3
    at_cochlea = cochlear_dice_view(scores)
    assert list(at_cochlea["class"]) == ["soft", "bone", ""] * 2
    assert list(at_cochlea["cochlear_dice"].isna()) == [False] * 3 + [True] * 3
    assert at_cochlea["cochlear_dice"][2] == at_cochlea["cochlear_dice"][:2].mean()
    errors = perceptual_error_view(scores)
    assert errors.to_dict("records") == [
        {"study": "phantom", "group": "B", "specimen": "E2", "method": "multi_task",
         "perceptual_error": 0.0}
    ]  # fmt: skip
