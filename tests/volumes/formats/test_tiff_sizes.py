"""Voxel sizes that TIFF files state, against those beside them."""

import numpy as np
import pytest
import tifffile

from otosynth.errors import InputError
from otosynth.volumes.reading import read_scan_header, read_volume
from otosynth.volumes.stated import Stated

VOXELS = np.random.default_rng(0).integers(0, 60000, (12, 20, 22)).astype(np.uint16)
OF_IMAGEJ = {
    "imagej": True,
    "resolution": (25, 25),
    "metadata": {"axes": "ZYX", "spacing": 0.05, "unit": "mm"},
}
OF_OME = {
    "ome": True,
    "metadata": {"axes": "ZYX", "PhysicalSizeX": 40, "PhysicalSizeY": 40, "PhysicalSizeZ": 50},
}
OF_TAGS = {"resolution": (250, 250), "resolutionunit": "CENTIMETER", "metadata": None}


def write(folder, beside, **options):
    path = folder / "scan.tif"
    tifffile.imwrite(path, VOXELS, photometric="minisblack", **options)
    if beside:
        (folder / "spacing.json").write_text(f'{{"spacing_mm": {beside}}}')
    return path


@pytest.mark.parametrize(
    ("options", "place", "size"),
    [
        (OF_IMAGEJ, "imagej", (0.04, 0.04, 0.05)),
        (OF_OME, "ome", (0.04, 0.04, 0.05)),
        (OF_TAGS, "resolution-tags", (0.04, 0.04, 0.06)),
    ],
)
def test_two_sizes_are_compared_and_the_lab_says_which_holds(tmp_path, options, place, size):
    path = write(tmp_path, "[0.0401, 0.04, 0.05]", **options)
    assert read_volume(path).GetSpacing() == pytest.approx((0.0401, 0.04, 0.05))
    path = write(tmp_path, "[0.03, 0.03, 0.06]", **options)
    with pytest.raises(
        InputError, match=rf"spacing-json says 0\.03 x 0\.03 .*{place} says 0\.04 x"
    ):
        read_volume(path)
    assert read_volume(path, Stated(believe="spacing-json")).GetSpacing() == (0.03, 0.03, 0.06)
    header = read_scan_header(path, Stated(believe=place))
    assert header.grid.spacing_mm == pytest.approx(size)
    assert any(f"{place} is believed" in remark for remark in header.remarks)


@pytest.mark.parametrize("unit", ["INCH", "NONE"])
def test_a_resolution_for_the_printer_is_no_voxel_size(tmp_path, unit):
    path = write(tmp_path, "[0.04, 0.04, 0.05]", resolution=(300, 300), resolutionunit=unit)
    assert read_volume(path).GetSpacing() == (0.04, 0.04, 0.05)


@pytest.mark.parametrize("options", [OF_IMAGEJ, OF_OME])
def test_without_a_file_beside_it_the_size_is_the_pages_and_the_orientation_is_asked(
    tmp_path, options
):
    path = write(tmp_path, None, **options)
    with pytest.raises(InputError, match=r"states no orientation \(no spacing\.json lies beside"):
        read_volume(path)
    header = read_scan_header(path, Stated(orientation="RAS"))
    assert header.grid.spacing_mm == pytest.approx((0.04, 0.04, 0.05))
    assert header.grid.direction == (-1, 0, 0, 0, -1, 0, 0, 0, 1)
    assert any("No spacing.json" in remark for remark in header.remarks)


def test_without_any_size_the_file_is_asked_for(tmp_path):
    with pytest.raises(InputError, match=r"spacing\.json: missing\. A TIFF stack needs it"):
        read_volume(write(tmp_path, None, **OF_TAGS))


def test_an_ome_file_whose_slices_are_elsewhere_is_refused(tmp_path):
    path = write(tmp_path, "[0.04, 0.04, 0.05]", **OF_OME)
    path.write_bytes(path.read_bytes().replace(b'SizeZ="12"', b'SizeZ="40"'))
    with pytest.raises(InputError, match="has 12 pages and its OME-XML announces 40 slices"):
        read_volume(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_file_beside_may_be_of_another_encoding(tmp_path, encoding):
    path = write(tmp_path, None, **OF_TAGS)
    text = '{"spacing_mm": [0.04, 0.04, 0.05]}'
    (tmp_path / "spacing.json").write_bytes(text.encode(encoding))
    assert read_volume(path).GetSpacing() == (0.04, 0.04, 0.05)


def test_axes_without_a_stated_direction_are_said_or_stated(tmp_path):
    path = write(tmp_path, "[0.04, 0.04, 0.05]", **OF_TAGS)
    assert "states no direction; the axes are taken as LPS" in read_scan_header(path).remarks[0]
    header = read_scan_header(path, Stated(orientation="LAS"))
    assert header.grid.direction == (1, 0, 0, 0, -1, 0, 0, 0, 1)
