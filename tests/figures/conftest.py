"""An ear small enough to draw in no time, and what every figure must satisfy."""

from collections.abc import Callable, Iterator
from itertools import combinations

import matplotlib.text
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from otosynth.figures.style import SMALL_PT, WIDTH_IN
from otosynth.normalisation import Normalisation, Window
from otosynth.pairs import Pair

LABEL = "mouse ears, simulated CT"
TOLERANCE_PX = 1.0


def make_ear() -> Pair:
    """Bone with a ball of soft tissue, a ball of air and a border outside the mask."""
    z, y, x = np.indices((20, 24, 28))
    classmap = np.full(z.shape, 2, np.uint8)
    classmap[(z - 10) ** 2 + (y - 9) ** 2 + (x - 8) ** 2 < 30] = 1
    classmap[(z - 10) ** 2 + (y - 14) ** 2 + (x - 22) ** 2 < 20] = 0
    microct = np.choose(classmap, [0.0, 0.4, 1.0]).astype(np.float32)
    mask = np.ones(z.shape, np.uint8)
    mask[:, :3] = 0
    return Pair(2000 * microct - 1000, microct, mask, classmap, np.zeros_like(mask))


@pytest.fixture
def ear() -> Pair:
    return make_ear()


@pytest.fixture
def windows() -> Normalisation:
    return Normalisation(Window(-1000, 2500), Window(0, 1.1), ())


@pytest.fixture
def label() -> str:
    return LABEL


def drawn_texts(figure: Figure) -> Iterator[matplotlib.text.Text]:
    """All text that a reader sees; labels of ticks beyond the axis's ends are not drawn."""
    hidden = set()
    for axes in figure.axes:
        if not axes.get_visible():
            hidden.update(axes.findobj(matplotlib.text.Text))
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not (axes.axison and low <= tick.get_loc() <= high):
                    hidden.update(tick.findobj(matplotlib.text.Text))
    for text in figure.findobj(matplotlib.text.Text):
        if text not in hidden and text.get_visible() and text.get_text().strip():
            yield text


def overlap(a: Bbox, b: Bbox) -> bool:
    common = Bbox.intersection(a, b)
    return common is not None and min(common.width, common.height) > TOLERANCE_PX


@pytest.fixture
def assert_readable() -> Callable[[Figure], None]:
    """A check: page width, label, font sizes, all text inside the page and none over another."""

    def check(figure: Figure) -> None:
        figure.draw_without_rendering()
        assert figure.get_figwidth() == WIDTH_IN
        texts = list(drawn_texts(figure))
        assert any(LABEL in text.get_text() for text in texts)
        assert min(text.get_fontsize() for text in texts) >= SMALL_PT
        boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
        page = figure.bbox.padded(TOLERANCE_PX)
        outside = [name for name, box in boxes if not page.contains(*box.min)
                   or not page.contains(*box.max)]  # fmt: skip
        assert outside == []
        over = [(a[0], b[0]) for a, b in combinations(boxes, 2) if overlap(a[1], b[1])]
        assert over == []

    return check
