"""Patches as the networks see them."""

import numpy as np
import pytest

from otosynth.pairs import Pair, from_side
from otosynth.patches import patch_table
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader


@pytest.fixture
def reader(pairs, normalisation):
    arithmetic = resolve_arithmetic("cpu", "float32", 1)
    return PatchReader(patch_table(pairs, 20, 0), pairs, normalisation, arithmetic)


def test_a_patch_is_cut_scaled_and_one_hot_inside_the_mask(reader, pairs):
    row = reader.table.iloc[5]
    batch, pair = reader.read(5), pairs[row.specimen]
    at = tuple(slice(row[a], row[a] + 20) for a in "zyx")
    np.testing.assert_allclose(batch.ct[0, 0], np.clip(pair.ct[at] / 1000, -1, 1), atol=1e-6)
    assert batch.microct.min() >= -1
    assert batch.microct.max() <= 1
    np.testing.assert_array_equal(batch.classes[0].sum(0), pair.mask[at])
    inside = pair.mask[at] > 0
    np.testing.assert_array_equal(batch.classes[0].argmax(0)[inside], pair.classmap[at][inside])


def test_a_mirrored_ear_is_read_backwards_along_x(normalisation, pairs):
    arithmetic = resolve_arithmetic("cpu", "float32", 1)
    names = ("ct", "microct", "mask", "classmap")
    flipped = Pair(*(from_side(getattr(pairs["E1"], name), True) for name in names))
    table = patch_table({"E1": flipped}, 40, 0)
    plain = PatchReader(table, {"E1": pairs["E1"]}, normalisation, arithmetic).read(0)
    mirrored = PatchReader(table, {"E1": flipped}, normalisation, arithmetic).read(0)
    np.testing.assert_array_equal(mirrored.ct, plain.ct.flip(-1))
    np.testing.assert_array_equal(mirrored.classes, plain.classes.flip(-1))
