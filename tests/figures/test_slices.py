"""Planes, proportions, colours and scale bars."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from otosynth.figures.slices import (
    Plane,
    add_contours,
    add_directions,
    add_scale_bar,
    class_colours,
    crop_around,
    middle_planes,
    show_intensity,
    shown_point,
    telling_axis,
    telling_point,
)
from otosynth.figures.style import CLASS_COLOURS, OUTSIDE_COLOUR, new_figure
from otosynth.normalisation import Window


def test_planes_keep_the_voxels_true_proportions():
    volume = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    plane = Plane.across(1, 2, (0.5, 0.2, 0.1))
    assert plane.title == "x–z plane"
    assert plane.spacing_mm == (0.5, 0.1)
    # z runs upwards: the last z is the first row.
    np.testing.assert_array_equal(plane.of(volume), volume[::-1, 2])
    axes = new_figure("t", "l", "", 1).subplots()
    show_intensity(axes, plane.of(volume), plane, Window(0, 24))
    assert axes.get_xlim() == pytest.approx((0, 0.4))
    assert axes.get_ylim() == pytest.approx((1.0, 0))
    assert axes.get_aspect() == 1


def test_the_patient_s_sides_stand_where_the_scan_has_them():
    """At the right, left, bottom and top of each plane."""
    identity = (1, 0, 0, 0, 1, 0, 0, 0, 1)
    # Voxel rows from head to feet and columns from left to right: a coronal scan.
    coronal = (-1, 0, 0, 0, 0, 1, 0, -1, 0)
    for direction, expected in (
        (identity, ["LRPA", "LRIS", "PAIS"]),
        (coronal, ["RLIS", "RLAP", "ISAP"]),
    ):
        planes = middle_planes(np.ones((3, 4, 5), bool), (0.1, 0.2, 0.3))
        assert [(plane.axis, plane.index) for plane in planes] == [(0, 1), (1, 1), (2, 2)]
        for plane, letters in zip(planes, expected, strict=True):
            axes = new_figure("t", "l", "", 1).subplots()
            add_directions(axes, plane, direction)
            assert "".join(text.get_text() for text in axes.texts) == letters


def test_the_telling_point_lies_where_walls_are_dense():
    classmap = np.full((60, 60, 60), 2, np.uint8)
    classmap[40:50:2, 40:50, 40:50] = 1
    mask = np.ones_like(classmap)
    point = telling_point(classmap, mask, (0.2, 0.2, 0.2))
    assert all(35 <= index <= 55 for index in point)


def test_walls_near_air_or_outside_the_mask_do_not_count():
    classmap = np.full((60, 60, 60), 2, np.uint8)
    classmap[40:50:2, 40:50, 40:50] = 1
    classmap[40:50:4, 40:50, 40:50] = 0
    classmap[8:12:3, 8:20, 8:20] = 1
    mask = np.ones_like(classmap)
    assert max(telling_point(classmap, mask, (0.2, 0.2, 0.2))) < 30
    mask[:30] = 0
    classmap[30:, 5:9, 5:9] = 1
    z, y, x = telling_point(classmap, mask, (0.2, 0.2, 0.2))
    assert z >= 25
    assert max(y, x) < 25


def test_the_telling_axis_crosses_most_borders():
    classmap = np.zeros((9, 9, 9), np.uint8)
    classmap[:, ::2, :] = 1
    assert telling_axis(classmap, (4, 4, 4)) in (0, 2)


def test_a_crop_stays_inside_and_knows_its_point():
    part, centre = crop_around((1, 50, 5), (20, 100, 8), (0.1, 0.1, 0.1), 1.0)
    assert part == (slice(0, 10), slice(45, 55), slice(0, 8))
    assert centre == (1, 5, 5)


def test_classes_have_their_colours_and_grey_outside_the_mask():
    image = class_colours(np.array([[0, 1, 2, 2]]), np.array([[1, 1, 1, 0]]))
    expected = [to_rgb(colour) for colour in (*CLASS_COLOURS, OUTSIDE_COLOUR)]
    np.testing.assert_allclose(image[0], expected)


@pytest.mark.parametrize(("width_mm", "bar_mm"), [(10, 2), (40, 10), (0.1, 0.025)])
def test_scale_bars_have_a_round_length(width_mm, bar_mm):
    axes = new_figure("t", "l", "", 1).subplots()
    plane = Plane(0, 0, (width_mm / 10, width_mm / 10))
    show_intensity(axes, np.zeros((10, 10)), plane, Window(0, 1))
    add_scale_bar(axes)
    assert axes.patches[0].get_width() == pytest.approx(bar_mm)
    assert axes.texts[0].get_text() == f"{bar_mm:g} mm"


def test_contours_lie_at_voxel_centres_and_need_the_level():
    axes = new_figure("t", "l", "", 1).subplots()
    plane = Plane(0, 0, (0.5, 0.5))
    image = np.repeat([[0.0, 0.0, 1.0, 1.0]], 4, axis=0)
    add_contours(axes, image, plane, 2.0, "red")
    assert len(axes.collections) == 0
    add_contours(axes, image, plane, 0.5, "red")
    line = axes.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(line[:, 0], 1.0)


def test_figures_go_through_the_cochlea_where_it_is_known():
    classmap = np.full((60, 60, 60), 2, np.uint8)
    # Spongy bone elsewhere has more walls.
    classmap[40:50:2, 40:50, 40:50] = 1
    mask, cochlea = np.ones_like(classmap), np.zeros_like(classmap)
    unknown = shown_point(classmap, mask, cochlea, (0.2, 0.2, 0.2))
    assert unknown == telling_point(classmap, mask, (0.2, 0.2, 0.2))
    cochlea[10:21, 12:15, 8] = 1
    assert shown_point(classmap, mask, cochlea, (0.2, 0.2, 0.2)) == (15, 13, 8)
