"""Patches as the networks see them."""

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest

from otosynth.configuration.methods.base import PriorChanges
from otosynth.errors import InputError
from otosynth.methods.base import UnpairedBatch
from otosynth.pairs import Pair, from_side
from otosynth.patches import patch_table
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader, TrainingPatches


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
    names = ("ct", "microct", "mask", "classmap", "cochlea")
    flipped = Pair(*(from_side(getattr(pairs["E1"], name), True) for name in names))
    table = patch_table({"E1": flipped}, 40, 0)
    plain = PatchReader(table, {"E1": pairs["E1"]}, normalisation, arithmetic).read(0)
    mirrored = PatchReader(table, {"E1": flipped}, normalisation, arithmetic).read(0)
    np.testing.assert_array_equal(mirrored.ct, plain.ct.flip(-1))
    np.testing.assert_array_equal(mirrored.classes, plain.classes.flip(-1))


def ear_of(patch, pairs, volume, normalise):
    """Find the ear that a patch was cut from, by its voxels."""
    size = patch.shape[-1]
    found = [
        name for name, pair in pairs.items()
        if any(
            np.allclose(patch, normalise(getattr(pair, volume)[at]), atol=1e-6)
            for at in product([slice(0, size), slice(size, 2 * size)], repeat=3)
        )
    ]  # fmt: skip
    assert len(found) == 1
    return found[0]


def test_unpaired_ct_and_micro_ct_are_of_different_ears(reader, pairs, normalisation):
    patches = TrainingPatches(reader, paired=False, augmentation="none")
    partners = set()
    for seed in range(20):
        batch = patches.read(seed % len(reader), seed)
        assert isinstance(batch, UnpairedBatch)
        ct_ear = ear_of(batch.ct[0, 0].numpy(), pairs, "ct", normalisation.ct.normalise)
        microct = batch.microct[0, 0].numpy()
        microct_ear = ear_of(microct, pairs, "microct", normalisation.microct.normalise)
        assert ct_ear != microct_ear
        partners.add(microct.tobytes())
        # Each image comes with its own mask and classes.
        own = reader.read(seed % len(reader))
        np.testing.assert_array_equal(batch.classes, own.classes)
        np.testing.assert_array_equal(batch.microct_classes.sum(1), batch.microct_mask[:, 0])
    assert len(partners) > 5


def test_a_patch_meets_other_partners_by_another_seed_and_the_same_by_the_same(reader):
    patches = TrainingPatches(reader, paired=False, augmentation="none")
    drawn = [patches.partner(3, np.random.default_rng(seed)) for seed in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


def test_without_pairs_one_training_ear_is_refused(reader, pairs):
    table = reader.table[reader.table["specimen"] == "E1"]
    with pytest.raises(InputError, match="needs two training specimens"):
        TrainingPatches(replace(reader, table=table), paired=False, augmentation="none")


def test_flips_mirror_all_of_a_patch_alike(reader):
    plain = reader.read(4)
    patches = TrainingPatches(reader, paired=True, augmentation="flips")
    seen = set()
    for seed in range(12):
        batch = patches.read(4, seed)
        axes = [
            axes for axes in ([], [2], [3], [4], [2, 3], [2, 4], [3, 4], [2, 3, 4])
            if np.array_equal(plain.ct.flip(axes), batch.ct)
        ]  # fmt: skip
        for name in ("microct", "mask", "classes"):
            flipped = getattr(plain, name).flip(axes[0])
            np.testing.assert_array_equal(flipped, getattr(batch, name))
        seen.add(tuple(axes[0]))
    assert len(seen) > 3


def test_axes_change_places_for_all_of_a_patch_alike(reader):
    plain = reader.read(4)
    patches = TrainingPatches(reader, paired=True, augmentation="flips_and_axes")
    seen = set()
    for seed in range(24):
        batch = patches.read(4, seed)
        turns = [
            (order, axes) for order in permutations((2, 3, 4))
            for axes in ([], [2], [3], [4], [2, 3], [2, 4], [3, 4], [2, 3, 4])
            if np.array_equal(plain.ct.permute(0, 1, *order).flip(axes), batch.ct)
        ]  # fmt: skip
        order, axes = turns[0]
        for name in ("microct", "mask", "classes"):
            turned = getattr(plain, name).permute(0, 1, *order).flip(axes)
            np.testing.assert_array_equal(turned, getattr(batch, name))
            assert getattr(batch, name).is_contiguous()
        seen.add(order)
    assert len(seen) == 6


def test_jitter_shifts_patches_by_up_to_half_their_distance_within_the_volume(reader, pairs):
    # Patches of 20 side by side in volumes of 40.
    patches = TrainingPatches(reader, paired=True, augmentation="none", jitter=True)
    normalise = reader.normalisation.ct.normalise
    corners = set()
    for seed in range(20):
        batch = patches.read(0, seed)
        found = [
            corner for corner in product(range(21), repeat=3)
            if normalise(pairs["E1"].ct[corner]) == batch.ct[0, 0, 0, 0, 0]
            and np.array_equal(
                normalise(pairs["E1"].ct[tuple(slice(k, k + 20) for k in corner)]), batch.ct[0, 0]
            )
        ]  # fmt: skip
        corners.add(found[0])
    assert len(corners) > 10
    assert np.max(list(corners)) <= 10
    assert np.min(list(corners)) == 0
    again = patches.read(0, 3)
    np.testing.assert_array_equal(again.ct, patches.read(0, 3).ct)


def test_patches_together_are_one_batch(reader):
    both = reader.together([reader.read(1), reader.read(6)])
    assert both.ct.shape == (2, 1, 20, 20, 20)
    for name, tensor in both.tensors.items():
        np.testing.assert_array_equal(tensor[1:], getattr(reader.read(6), name))


def test_a_prior_may_be_left_out_or_shifted(pairs, normalisation):
    arithmetic = resolve_arithmetic("cpu", "float32", 1)
    with_prior = {"E1": replace(pairs["E1"], prior=(pairs["E1"].microct,))}
    reader = PatchReader(patch_table(with_prior, 20, 0), with_prior, normalisation, arithmetic)
    plain = reader.read(0)

    def read(dropout, shift):
        patches = TrainingPatches(
            reader, paired=True, augmentation="none", prior_changes=PriorChanges(dropout, shift)
        )
        batches = [patches.read(0, seed) for seed in range(20)]
        assert all(np.array_equal(batch.microct, plain.microct) for batch in batches)
        return [batch.prior for batch in batches]

    dropped = [bool((prior == 0).all()) for prior in read(0.5, 0)]
    assert 5 < sum(dropped) < 15
    assert all((prior == 0).all() for prior in read(1.0, 0))
    assert all(np.array_equal(prior, plain.prior) for prior in read(0.0, 0))
    volume = normalisation.microct.normalise(pairs["E1"].microct)
    offsets = []
    for prior in read(0.0, 3):
        found = [
            by for by in product(range(4), repeat=3)
            if np.array_equal(volume[tuple(slice(k, k + 20) for k in by)], prior[0, 0])
        ]  # fmt: skip
        offsets += found
    assert len(offsets) == 20
    assert np.max(offsets) == 3
    assert len(set(offsets)) > 8


def test_a_prior_is_cut_with_its_patch(pairs, normalisation):
    arithmetic = resolve_arithmetic("cpu", "float32", 1)
    with_prior = {"E1": replace(pairs["E1"], prior=(pairs["E2"].microct,))}
    table = patch_table(with_prior, 20, 0)
    batch = PatchReader(table, with_prior, normalisation, arithmetic).read(3)
    row = table.iloc[3]
    at = tuple(slice(row[a], row[a] + 20) for a in "zyx")
    expected = normalisation.microct.normalise(pairs["E2"].microct[at])
    np.testing.assert_array_equal(batch.prior[0, 0], expected)
