"""Files of figures: same bytes, no dates; colours and the checks of the other tests."""

import os
import subprocess
import sys

import pytest
from matplotlib.colors import to_rgb

from otosynth.figures.style import (
    CLASS_COLOURS,
    method_colours,
    method_markers,
    new_figure,
    number,
    write_figure,
)
from otosynth.rows import CEILINGS, YARDSTICKS

DRAWING = r"""
import sys
from otosynth.figures.style import new_figure, write_figure
figure = new_figure("A title", "phantom", "ŷ \u00b3", 1.0)
axes = figure.subplots()
axes.plot([1, 2, 3], label="abc")
axes.imshow([[1, 2], [3, 4]])
axes.legend()
write_figure(figure, sys.argv[1:], 60, "f" * 64)
"""


def draw_in_new_process(folder, hash_seed):
    files = [folder / f"{hash_seed}.png", folder / f"{hash_seed}.pdf"]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "MPLCONFIGDIR": str(folder)}
    subprocess.run([sys.executable, "-c", DRAWING, *files], check=True, env=environment)
    return [file.read_bytes() for file in files]


def test_the_same_figure_gives_the_same_bytes_in_every_process(tmp_path):
    first = draw_in_new_process(tmp_path, "1")
    # A user's settings must not change a figure.
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 7\nfont.size: 20\n")
    assert draw_in_new_process(tmp_path, "2") == first
    for data in first:
        assert b"Date" not in data
        assert b"Matplotlib" not in data


def test_a_figure_that_cannot_be_written_leaves_nothing(tmp_path):
    figure = new_figure("A title", "phantom", "", 1.0)
    with pytest.raises(KeyError):
        write_figure(figure, [str(tmp_path / "figure.gif")], 60, "f" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_long_line_above_a_figure_goes_on_below(assert_readable, label):
    short, long = (new_figure("A title", label, note, 1.0) for note in ("short", "a note " * 40))
    assert_readable(long)
    assert long.get_figheight() > short.get_figheight()


def test_classes_are_told_apart_without_colour():
    grey = [0.299 * r + 0.587 * g + 0.114 * b for r, g, b in map(to_rgb, CLASS_COLOURS)]
    assert grey[1] - grey[0] > 0.2
    assert grey[2] - grey[1] > 0.2


def test_every_method_has_its_colour():
    colours = method_colours(["atlas", "a", "b", "c", "d", "e", "f", "g", "h"])
    assert len(set(colours.values())) == 9


def test_overlapping_text_is_noticed(assert_readable, label):
    figure = new_figure("A title", label, "", 1.0)
    assert_readable(figure)
    figure.text(0.02, 0.95, "over the title", va="top")
    with pytest.raises(AssertionError, match="over the title"):
        assert_readable(figure)


def test_text_beyond_the_page_is_noticed(assert_readable, label):
    figure = new_figure("A title that is far too long " * 6, label, "", 1.0)
    with pytest.raises(AssertionError, match="far too long"):
        assert_readable(figure)


@pytest.mark.parametrize(
    ("value", "written"), [(2000, "2000"), (12345.6, "12300"), (-0.0084, "\u22120.0084"), (0, "0")]
)
def test_numbers_are_written_plainly(value, written):
    assert number(value) == written


def test_methods_of_one_colour_have_other_markers():
    methods = [*YARDSTICKS, "atlas", "atlas_staple", *(f"m{k}" for k in range(10)), *CEILINGS]
    colours, markers = method_colours(methods), method_markers(methods)
    looks = [(colours[method], markers[method]) for method in methods]
    assert len(set(looks)) == len(methods)
