"""Grids: arrays on a grid, mirrored ears, and down-sampling with its true geometry."""

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.tissues import AIR, BONE, SOFT
from otosynth.volumes.grids import (
    downsample,
    downsample_labels,
    downsample_mask,
    image_like,
    mirror,
    onto_grid,
    same_grid,
)


@pytest.fixture
def image() -> sitk.Image:
    voxels = np.random.default_rng(4).normal(size=(5, 7, 8)).astype(np.float32)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.3, 0.2, 0.5))
    image.SetOrigin((10, -20, 30))
    image.SetDirection(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix())
    return image


def test_image_like_takes_the_grid_and_the_array(image):
    array = np.arange(280, dtype=np.int16).reshape(5, 7, 8)
    made = image_like(array, image)
    assert same_grid(made, image)
    assert made[3, 2, 1] == array[1, 2, 3]
    assert image_like(array > 5, image).GetPixelID() == sitk.sitkUInt8
    with pytest.raises(ValueError, match=r"\(4, 7, 8\) on a grid of shape \(5, 7, 8\)"):
        image_like(array[:4], image)


def test_same_grid_allows_rounding_only(image):
    moved = sitk.Image(image)
    moved.SetOrigin((10 + 1e-5, -20, 30))
    assert same_grid(image, moved)
    moved.SetOrigin((10.01, -20, 30))
    assert not same_grid(image, moved)
    stretched = sitk.Image(image)
    stretched.SetSpacing((0.3, 0.201, 0.5))
    assert not same_grid(image, stretched)
    assert not same_grid(image, image[:7])


def test_mirror_flips_the_last_axis_and_is_its_own_inverse(image):
    array = sitk.GetArrayFromImage(image)
    mirrored = mirror(image)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mirrored), array[:, :, ::-1])
    assert same_grid(mirrored, image)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mirror(mirrored)), array)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_downsample_averages_blocks_at_their_centres(image, factor):
    array = sitk.GetArrayFromImage(image)
    coarse = downsample(image, factor)
    shape = tuple(n // factor for n in array.shape)
    assert coarse.GetSize() == shape[::-1]
    assert coarse.GetSpacing() == pytest.approx([s * factor for s in image.GetSpacing()])
    last = tuple(n - 1 for n in shape)
    block = array[tuple(slice(i * factor, (i + 1) * factor) for i in last)]
    assert coarse[last[::-1]] == pytest.approx(block.mean(), abs=1e-6)
    centre = [i * factor + (factor - 1) / 2 for i in last[::-1]]
    np.testing.assert_allclose(
        coarse.TransformIndexToPhysicalPoint(last[::-1]),
        image.TransformContinuousIndexToPhysicalPoint(centre),
    )


def blocks_of(*blocks: list[int]) -> sitk.Image:
    """Volume whose 2^3 blocks along x hold the given 8 values each."""
    array = np.concatenate([np.reshape(block, (2, 2, 2)) for block in blocks], axis=2)
    return sitk.GetImageFromArray(array.astype(np.uint8))


def test_labels_take_the_majority_and_ties_go_soft_air_bone():
    image = blocks_of(
        [BONE] * 5 + [SOFT] * 3,
        [BONE] * 4 + [SOFT] * 4,
        [BONE] * 4 + [AIR] * 4,
        [AIR] * 4 + [SOFT] * 4,
        [AIR] * 3 + [BONE] * 3 + [SOFT] * 2,
    )
    labels = sitk.GetArrayFromImage(downsample_labels(image, 2))
    assert labels.ravel().tolist() == [BONE, SOFT, AIR, SOFT, AIR]
    assert labels.dtype == np.uint8


def test_mask_needs_every_voxel_of_the_block():
    image = blocks_of([1] * 8, [1] * 7 + [0], [0] * 8)
    assert sitk.GetArrayFromImage(downsample_mask(image, 2)).ravel().tolist() == [1, 0, 0]


def test_all_three_downsample_onto_one_grid(image):
    labels = image_like(np.zeros((5, 7, 8), np.uint8), image)
    for factor in (2, 3):
        grid = downsample(image, factor)
        assert same_grid(downsample_labels(labels, factor), grid)
        assert same_grid(downsample_mask(labels, factor), grid)


def test_a_coarser_image_comes_onto_a_finer_grid():
    fine = sitk.Image([4, 4, 4], sitk.sitkUInt8)
    coarse = sitk.GetImageFromArray(np.arange(8, dtype=np.uint8).reshape(2, 2, 2))
    coarse.SetSpacing([2, 2, 2])
    coarse.SetOrigin([0.5, 0.5, 0.5])
    brought = sitk.GetArrayFromImage(onto_grid(coarse, fine, interpolate=False))
    np.testing.assert_array_equal(brought[::2, ::2, ::2], np.arange(8).reshape(2, 2, 2))
    np.testing.assert_array_equal(brought[0], np.kron([[0, 1], [2, 3]], np.ones((2, 2))))
    smooth = onto_grid(sitk.Cast(coarse, sitk.sitkFloat32), fine, interpolate=True)
    row = sitk.GetArrayFromImage(smooth)[0, 0]
    np.testing.assert_allclose(row, [0, 0.25, 0.75, 1])
    assert onto_grid(fine, fine, interpolate=True) is fine
