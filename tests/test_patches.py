"""Patches cover the volume, the last one shifted inside; the table says what is in them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otosynth.errors import InputError
from otosynth.pairs import Pair, from_side
from otosynth.patches import COLUMNS, corners_along, patch_corners, patch_table


def test_thesis_training_patches_have_stride_72():
    assert corners_along(312, 96, 72) == [0, 72, 144, 216]


@given(st.integers(8, 60), st.integers(1, 8), st.integers(0, 7))
def test_patches_cover_every_voxel_and_stay_inside(length, size, overlap):
    corners = corners_along(length, size, size - min(overlap, size - 1))
    covered = np.zeros(length, bool)
    for corner in corners:
        assert 0 <= corner <= length - size
        covered[corner : corner + size] = True
    assert covered.all()
    assert corners == sorted(set(corners))


def test_a_volume_smaller_than_a_patch_is_refused():
    with pytest.raises(InputError, match="smaller than a patch of 32"):
        patch_corners((40, 40, 20), 32)


def test_the_table_counts_classes_inside_the_mask(pairs):
    table = patch_table(pairs, 20, 0)
    assert list(table.columns[:5]) == ["specimen", "z", "y", "x", "size"]
    assert len(table) == 2 * 8
    for row in table.itertuples():
        pair = pairs[row.specimen]
        at = tuple(slice(c, c + 20) for c in (row.z, row.y, row.x))
        inside = pair.mask[at] > 0
        assert row.mask_fraction == pytest.approx(inside.mean(), abs=1e-6)
        assert row.soft == np.sum(pair.classmap[at][inside] == 1)
        assert row.air + row.soft + row.bone == inside.sum()
        assert row.cochlea == np.sum(pair.cochlea[at][inside])
    assert (table["cochlea"] > 0).any()


@pytest.mark.parametrize(("size", "overlap"), [(7, 0), (12, 5), (20, 17), (40, 0)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_table_is_that_of_counting_every_patch_by_itself(pairs, size, overlap, mirrored):
    random = np.random.default_rng(3)
    for name in pairs:
        mask = (random.random((41, 40, 47)) < 0.7).astype(np.uint8) * 255
        classes = random.integers(0, 3, mask.shape).astype(np.uint8)
        cochlea = (random.random(mask.shape) < 0.1).astype(np.uint8)
        volumes = (mask, mask, mask, classes, cochlea)
        pairs[name] = Pair(*(from_side(array, mirrored) for array in volumes))
    table = patch_table(pairs, size, overlap, min_mask_fraction=0.69)
    plain = []
    for name, pair in pairs.items():
        for corner in patch_corners(pair.mask.shape, size, overlap):
            at = tuple(slice(c, c + size) for c in corner)
            inside = pair.mask[at] > 0
            voxels = np.bincount(pair.classmap[at][inside], minlength=3)
            if inside.mean() >= 0.69:
                cochlea = np.count_nonzero(pair.cochlea[at][inside])
                plain.append(
                    (name, *corner, size, *voxels, cochlea, round(float(inside.mean()), 6))
                )
    pd.testing.assert_frame_equal(table, pd.DataFrame(plain, columns=list(COLUMNS)))


def test_a_number_that_is_no_class_is_refused(pairs):
    pairs["E2"].classmap[20, 20, 20] = 3
    with pytest.raises(InputError, match="E2: its class map holds numbers that are no class"):
        patch_table(pairs, 20, 0)


def test_patches_outside_the_mask_are_left_out(pairs):
    for pair in pairs.values():
        pair.mask[:20] = 0
    table = patch_table(pairs, 20, 0, min_mask_fraction=0.5)
    assert set(table["z"]) == {20}
    for pair in pairs.values():
        pair.mask[:] = 0
    with pytest.raises(InputError, match="No patch of E1, E2 has 50%"):
        patch_table(pairs, 20, 0, min_mask_fraction=0.5)
