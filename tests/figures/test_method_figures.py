"""Figures 3 to 7: networks as configured, curves, monitor and boxplots."""

import numpy as np
import pandas as pd
import pytest

from otosynth.figures.dice import draw_dice
from otosynth.figures.framework import draw_framework
from otosynth.figures.monitor import MonitorRow, draw_monitor
from otosynth.figures.network_plan import Block, discriminator_plan, generator_plan
from otosynth.figures.style import GREY
from otosynth.figures.validation import Curve, draw_validation, score_parts
from otosynth.methods import create_method
from otosynth.networks.discriminator import Discriminator
from otosynth.networks.generator import Generator
from otosynth.rows import CEILINGS, YARDSTICKS

EIGHT = [f"Method number {k}" for k in range(8)]


def written_in(figure):
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    return " ".join(texts).replace("\u00d7", "*")


def test_the_plan_of_a_generator_is_that_of_its_modules():
    network = Generator(4, 8, 3, 0.5, "nearest")
    assert generator_plan(network, 32) == [
        Block("convolution", 7, 1, 8, 32),
        Block("convolution", 3, 2, 16, 16),
        Block("convolution", 3, 2, 32, 8),
        Block("residual", 3, 1, 32, 8, repeats=3),
        Block("nearest", 3, 1, 16, 16),
        Block("nearest", 3, 1, 8, 32),
        Block("convolution", 7, 1, 4, 32),
    ]
    transposed = generator_plan(Generator(1, 8, 1, 0.5, "transposed"), 32)
    assert transposed[4] == Block("transposed", 3, 2, 16, 16)


def test_the_plan_of_a_discriminator_ends_with_its_verdicts():
    plan = discriminator_plan(Discriminator(2, 64, 3), 96)
    assert [block.size for block in plan] == [48, 24, 12, 11]
    assert [block.channels for block in plan] == [64, 128, 256, 1]


@pytest.mark.parametrize("name", ["single_task", "multi_task"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"width": 64},
        {"upsampling": "transposed", "norm": "layer", "adversarial": "least_squares"},
        {"discriminator_blocks": 5},
    ],
)
def test_frameworks_are_readable(name, changes, tiny_settings, label, assert_readable):
    method = create_method(tiny_settings(name, **changes))
    size = 96
    assert_readable(draw_framework(method, name, "A method", size, label))


def test_frameworks_say_what_is_configured(tiny_settings, label):
    method = create_method(tiny_settings("multi_task", dropout=0.3, norm="layer"))
    written = written_in(draw_framework(method, "multi_task", "Multi-task", 32, label))
    for expected in ("10 * Dice", "5 * perception", "Eq. 6", "dropout 0.3", "layer norm", "4 * 32"):
        assert expected in written
    single = create_method(tiny_settings("single_task"))
    written = written_in(draw_framework(single, "single_task", "Single task", 32, label))
    assert "Dice" not in written
    assert "10 * perception" in written


def test_figure_5_is_readable_and_leaves_out_what_a_method_does_not_give(label, assert_readable):
    image, classes = np.zeros((16, 16)), np.ones((16, 16))
    common = {"real_A": image, "fake_B": image, "real_B": image}
    both = common | {"fake_class_map": classes, "target_class_map": classes}
    rows = [MonitorRow("Single task", 18, common, classes, (0.12, 0.12)),
            MonitorRow("Multi-task", 4, both, classes, (0.24, 0.24))]  # fmt: skip
    figure = draw_monitor(rows, "A", label)
    assert_readable(figure)
    assert [len(axes.images) for axes in figure.axes] == [1, 1, 1, 0, 0, 1, 1, 1, 1, 1]
    assert_readable(draw_monitor(rows[:1], "A", label))
    assert_readable(draw_monitor(rows * 4, "A", label))


def make_curve(group, epochs=20):
    epoch = np.arange(2, epochs + 1, 2)
    table = pd.DataFrame({"epoch": epoch, "weighted_l1": 1 / epoch, "l1": 0.1, "dice": 0.5})
    table["score"] = 5 * table["weighted_l1"] + 10 * table["dice"]
    return Curve(group, table, {"weighted_l1": 5 * table["weighted_l1"]}, epochs)


@pytest.mark.parametrize("titles", [EIGHT[:1], EIGHT[:2], EIGHT])
@pytest.mark.parametrize("groups", ["A", "ABC", "ABCDEFGHIJKL"])
def test_figure_6_is_readable_for_any_number_of_methods_and_groups(
    titles, groups, label, assert_readable
):
    curves = {title: [make_curve(group) for group in groups] for title in titles}
    assert_readable(draw_validation(curves, label))


def test_the_parts_of_a_score_sum_to_it(tiny_settings):
    weights = {"weighted_l1": 5, "perception": 7, "dice": 10}
    method = create_method(tiny_settings("multi_task", loss_weights=weights))
    table = pd.DataFrame(
        {
            "epoch": [1, 2],
            "weighted_l1": [0.5, 0.25],
            "perception": 9.0,
            "l1": 3.0,
            "dice": [1, 0.5],
        }
    )
    table["score"] = [12.5, 6.25]
    parts = score_parts(method, table)
    assert set(parts) == {"weighted_l1", "dice"}
    np.testing.assert_allclose(sum(parts.values()), table["score"])


def make_dice(methods, ears=6):
    random = np.random.default_rng(1)
    return pd.DataFrame(
        [
            {"metric": "dice", "specimen": f"P{k}", "method": m, "class": c,
             "value": random.uniform(0.6, 0.9)}
            for k in range(ears) for m in methods for c in ("air", "soft", "bone")
        ]
    )  # fmt: skip


PUBLISHED = pd.DataFrame(
    {"method": ["atlas", "other"], "class": ["air", "air"], "value": [0.83, 0.1]}
)


@pytest.mark.parametrize(("count", "ears"), [(1, 1), (2, 6), (8, 23)])
def test_figure_7_is_readable(count, ears, label, assert_readable):
    titles = {"atlas": "Atlas"} | {f"m{k}": EIGHT[k] for k in range(count)}
    assert_readable(draw_dice(make_dice(titles, ears), PUBLISHED, titles, label))


def with_means(dice):
    """Return the same with the mean of the classes."""
    means = dice.groupby(["metric", "specimen", "method"])["value"].mean().reset_index()
    means["metric"] = means["metric"].str.replace("dice", "mean_dice")
    return pd.concat([dice, means.assign(**{"class": ""})])


def all_measures(dice):
    """Return the Dice with that at the cochlea and the means; of P0 no cochlea is known."""
    at_cochlea = dice[(dice["class"] != "air") & (dice["specimen"] != "P0")]
    at_cochlea = at_cochlea.assign(metric="cochlear_dice")
    return pd.concat([with_means(dice), with_means(at_cochlea)])


def placed(figure):
    """Return the panels that can be seen."""
    return [axes for axes in figure.axes if axes.get_visible()]


TOLD = "Region at the cochlea, within 0.5 mm of the scalae: by the phantom's exact structures for "


def test_figure_7_shows_the_cochlea_below_with_the_longest_names(label, assert_readable):
    titles = {
        **YARDSTICKS, "atlas": "Atlas", "single_task": "Single task", "multi_task": "Multi-task",
        "ours": "Residual U-Net (ours)", **CEILINGS,
    }  # fmt: skip
    told = f"{TOLD}P1, P2, P3, P4, P5; not known for P0."
    figure = draw_dice(all_measures(make_dice(titles)), PUBLISHED, titles, label, told)
    assert_readable(figure)
    assert [axes.get_title() for axes in placed(figure)] == [
        *(f"whole volume:\n{name}" for name in ("mean of all", "air", "soft tissue", "bone")),
        *(f"at the cochlea:\n{name}" for name in ("mean of both", "soft tissue", "bone")),
    ]
    for axes, number in zip(placed(figure), [6] * 4 + [5] * 3, strict=True):
        assert sum(len(points.get_offsets()) for points in axes.collections) == number * len(titles)
    # Points of ears may be diamonds too, small and full ones.
    diamonds = [
        any((line.get_marker(), line.get_markersize()) == ("D", 5) for line in axes.lines)
        for axes in placed(figure)
    ]
    assert diamonds == [False, True] + [False] * 5
    names = [tick.get_text().replace("\n", " ") for tick in placed(figure)[4].get_yticklabels()]
    assert names == list(titles.values())
    assert "not known for P0" in figure.texts[1].get_text().replace("\n", " ")


def test_figure_7_has_no_second_row_where_no_region_is_known(label, assert_readable):
    titles = {"atlas": "Atlas", "m": "Method"}
    told = "Region at the cochlea, within 0.5 mm of the scalae: not known for any ear."
    figure = draw_dice(with_means(make_dice(titles)), PUBLISHED, titles, label, told)
    assert_readable(figure)
    assert len(figure.axes) == 4
    assert "not known for any ear" in figure.texts[1].get_text().replace("\n", " ")


def test_figure_7_has_yardsticks_first_and_ceilings_apart(label, assert_readable):
    titles = YARDSTICKS | {"atlas": "Atlas", "m": "Method"} | CEILINGS
    figure = draw_dice(make_dice(titles), PUBLISHED, titles, label)
    assert_readable(figure)
    axes = figure.axes[0]
    names = [tick.get_text().replace("\n", " ") for tick in axes.get_yticklabels()]
    assert names == list(titles.values())
    dashed = [box.get_linestyle() == "--" for box in axes.patches]
    assert dashed == [name in CEILINGS for name in titles]
    # The line between methods and ceilings lies just above the first ceiling.
    borders = [line.get_ydata()[0] for line in axes.lines if line.get_color() == GREY]
    assert borders == [len(titles) - len(CEILINGS) - 0.5]
    assert "ceilings" in " ".join(text.get_text() for text in figure.texts)


def test_published_medians_are_told_apart(label):
    titles = {"atlas": "Atlas", "m": "Method"}
    figure = draw_dice(make_dice(titles), PUBLISHED, titles, label)
    marks = [[line for line in axes.lines if line.get_marker() == "D"] for axes in figure.axes]
    # Those of methods that the study lacks are not shown.
    assert [len(mark) for mark in marks] == [1, 0, 0]
    assert marks[0][0].get_xdata()[0] == 0.83
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any("published" in entry and "other data" in entry for entry in entries)
    no_published = draw_dice(make_dice(titles), PUBLISHED[:0], titles, label)
    assert not any("published" in text.get_text() for text in no_published.legends[0].get_texts())
