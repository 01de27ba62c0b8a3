"""Figures 1, 2 and 8 and the two quality figures: readable for any number of methods."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from otosynth.classmap import closing_steps, histogram, otsu_thresholds
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.figures.closing import ADDED_COLOUR, ClosingExample, draw_closing
from otosynth.figures.comparison import CORRECT_COLOUR, Result, draw_comparison, view_of
from otosynth.figures.histogram import draw_histogram
from otosynth.figures.pair import draw_pair
from otosynth.figures.registration import draw_registration
from otosynth.figures.style import CLASS_COLOURS, OUTSIDE_COLOUR
from otosynth.normalisation import Normalisation, Window

SPACING_MM = (0.5, 0.4, 0.4)


@pytest.mark.parametrize("microct", [Window(0, 1.1), Window(0, 255, "log")])
def test_figure_1_is_readable(ear, microct, label, assert_readable):
    windows = Normalisation(Window(-1000, 2500), microct, ())
    assert_readable(draw_pair(ear, SPACING_MM, windows, "P1", label))


def test_figure_2_shows_what_the_closing_adds(ear, windows, label, assert_readable):
    before = ear.classmap.copy()
    before[10, 9, 8] = 2  # a hole in the soft tissue
    steps = closing_steps(before, (0.4, 0.4, 0.4), 400)
    example = ClosingExample(ear.microct, before, ear.mask, steps, (0.4, 0.4, 0.4), 400)
    figure = draw_closing(example, windows.microct, "P1", label)
    assert_readable(figure)
    soft_closed = figure.axes[6].images[0].get_array()
    assert (soft_closed == to_rgb(ADDED_COLOUR)).all(axis=2).sum() >= 1
    soft_before = figure.axes[5].images[0].get_array()
    assert not (soft_before == to_rgb(ADDED_COLOUR)).all(axis=2).any()


@pytest.mark.parametrize("count", [1, 2, 8])
def test_figure_8_is_readable_for_any_number_of_methods(
    count, ear, windows, label, assert_readable
):
    view = view_of(ear, SPACING_MM)
    microct, truth = view.cut(ear.microct), view.cut(ear.classmap)
    wrong = np.roll(truth, 1, axis=1)
    results = [Result("Atlas", None, truth, (1, 1, 1))]
    results += [Result(f"Method {k}", microct, wrong, (0.9, 0.5, 0.9)) for k in range(count)]
    assert_readable(draw_comparison(ear, view, results, windows, "P1", label))


def test_figure_8_shows_errors_in_the_predicted_class(ear, windows, label):
    view = view_of(ear, SPACING_MM)
    truth = view.cut(ear.classmap)
    predicted = np.where(truth == 1, 0, truth)
    results = [Result("Atlas", None, predicted, (1, 0, 1))]
    figure = draw_comparison(ear, view, results, windows, "P1", label)
    errors = figure.axes[8].images[0].get_array()
    inside = view.cut(ear.mask) > 0
    correct = (errors == to_rgb(CORRECT_COLOUR)).all(axis=2)
    np.testing.assert_array_equal(correct, (truth != 1) & inside)
    assert (errors[(truth == 1) & inside] == to_rgb(CLASS_COLOURS[0])).all()
    assert (errors[~inside] == to_rgb(OUTSIDE_COLOUR)).all()


def test_the_registration_figure_is_readable(ear, label, assert_readable):
    trace = pd.DataFrame(
        {
            "stage": ["search"] * 4 + ["fine"] * 6,
            "level": [0] * 4 + [0, 0, 0, 1, 1, 1],
            "iteration": [0, 1, 2, 3, 0, 1, 2, 0, 1, 2],
            "metric": np.linspace(-0.1, -0.9, 10),
        }
    )
    figure = draw_registration(
        ear.ct, ear.microct, ear.mask, trace, SPACING_MM, (-1000, 2500), "P1", label
    )
    assert_readable(figure)
    lines = [line for line in figure.axes[-1].lines if len(line.get_xdata()) > 2]
    assert len(lines) == 3  # one a level of a stage


@pytest.mark.parametrize("logarithmic", [False, True])
def test_the_histogram_is_cut_at_its_thresholds(logarithmic, label, assert_readable):
    random = np.random.default_rng(1)
    values = np.concatenate([random.normal(m, 6, 4000) for m in (20, 90, 200)]).clip(0, 255)
    settings = ClassMapSettings(logarithmic=logarithmic)
    counted, thresholds = histogram(values, settings), otsu_thresholds(values, settings)
    fraction = {"air": 0.2, "soft": 0.3, "bone": 0.5}
    figure = draw_histogram(counted, thresholds, fraction, logarithmic, "P1", label)
    assert_readable(figure)
    ends = [patch.get_data().edges[[0, -1]] for patch in figure.axes[0].patches[:3]]
    np.testing.assert_allclose([end[1] for end in ends[:2]], thresholds)
    np.testing.assert_allclose([end[0] for end in ends[1:]], thresholds)
