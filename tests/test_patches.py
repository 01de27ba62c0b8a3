"""Patches cover the volume, the last one shifted inside; the table says what is in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otosynth.errors import InputError
from otosynth.patches import corners_along, patch_corners, patch_table


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


def test_patches_outside_the_mask_are_left_out(pairs):
    for pair in pairs.values():
        pair.mask[:20] = 0
    table = patch_table(pairs, 20, 0, min_mask_fraction=0.5)
    assert set(table["z"]) == {20}
    for pair in pairs.values():
        pair.mask[:] = 0
    with pytest.raises(InputError, match="No patch of E1, E2 has 50%"):
        patch_table(pairs, 20, 0, min_mask_fraction=0.5)
