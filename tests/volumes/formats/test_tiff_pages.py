"""Multi-page TIFF: every page is checked, and every kind of file is read or refused in words."""

import struct

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile

from otosynth.errors import InputError
from otosynth.volumes import slabs
from otosynth.volumes.reading import input_files, read_scan_header, read_slabs, read_volume
from otosynth.volumes.stated import NOTHING_STATED

VOXELS = np.random.default_rng(0).integers(0, 60000, (12, 40, 44)).astype(np.uint16)
GREY = {"photometric": "minisblack", "metadata": None}


def write(folder, voxels=VOXELS, spacing="[0.04, 0.04, 0.05]", **options):
    path = folder / "scan.tif"
    tifffile.imwrite(path, voxels, **(GREY | options))
    if spacing:
        (folder / "spacing.json").write_text(f'{{"spacing_mm": {spacing}}}')
    return path


def values(path, stated=NOTHING_STATED) -> np.ndarray:
    return sitk.GetArrayFromImage(read_volume(path, stated))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"tile": (16, 16)},
        {"rowsperstrip": 7},
        {"photometric": "miniswhite"},
        {"compression": "lzw", "predictor": True},
        *({"compression": name} for name in ("lzw", "deflate", "packbits", "zstd", "jpeg2000")),
    ],
)
def test_all_ways_of_storing_give_the_numbers_that_were_written(tmp_path, options):
    np.testing.assert_array_equal(values(write(tmp_path, **options)), VOXELS)


@pytest.mark.parametrize("kind", ["?", "u1", "i1", "i2", "u4", "i4", "u8", "f2", "f4", "f8"])
def test_all_types_of_numbers_are_read_as_they_are(tmp_path, kind):
    voxels = (VOXELS % 120).astype(kind)
    np.testing.assert_array_equal(values(write(tmp_path, voxels)), voxels.astype(np.float32))


def test_complex_numbers_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"page 1 stores 64 bits a pixel .* no real number"):
        values(write(tmp_path, VOXELS.astype(np.complex64)))


def write_pages(folder, pages, **of_first):
    path = folder / "scan.tif"
    with tifffile.TiffWriter(path) as writer:
        for number, page in enumerate(pages):
            writer.write(page, **GREY, **(of_first if number == 0 else {}))
    (folder / "spacing.json").write_text('{"spacing_mm": [0.04, 0.04, 0.05]}')
    return path


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (VOXELS[5, :, :30], r"page 6 has 30 x 40 pixels \(16 bits\) and the first 44 x 40"),
        ((VOXELS[5] >> 8).astype(np.uint8), r"page 6 has 44 x 40 pixels \(8 bits\) and .*16 bits"),
        (VOXELS[5].astype(np.int16), r"page 6 .*16 bits, signed"),
        (VOXELS[5].astype(np.float32), r"page 6 .*32-bit float"),
    ],
)
def test_a_page_unlike_the_others_is_named(tmp_path, other, message):
    with pytest.raises(InputError, match=message):
        values(write_pages(tmp_path, [*VOXELS[:5], other, *VOXELS[6:]]))


def test_a_thumbnail_is_left_out_and_said(tmp_path):
    path = write_pages(tmp_path, [VOXELS[0, ::4, ::4], *VOXELS], subfiletype=1)
    np.testing.assert_array_equal(values(path), VOXELS)
    assert "Left out as a thumbnail by its header: page 1." in read_scan_header(path).remarks


def test_a_small_page_that_does_not_call_itself_a_thumbnail_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"page 2 has 44 x 40 pixels .* the first 11 x 10"):
        values(write_pages(tmp_path, [VOXELS[0, ::4, ::4], *VOXELS]))


def test_colour_and_channels_are_refused(tmp_path):
    with pytest.raises(InputError, match="page 1 has 3 values per voxel"):
        values(write(tmp_path, np.stack([VOXELS] * 3, -1), photometric="rgb"))
    both = {"imagej": True, "metadata": {"axes": "ZCYX"}}
    with pytest.raises(InputError, match="its 24 pages are 2 channels"):
        values(write(tmp_path, np.stack([VOXELS] * 2, 1), **both))
    both = {"ome": True, "metadata": {"axes": "ZCYX"}}
    with pytest.raises(InputError, match="2 channels and 1 times by its OME-XML"):
        values(write(tmp_path, np.stack([VOXELS] * 2, 1), **both))


def test_a_palette_of_colours_is_refused_and_one_of_greys_is_not(tmp_path):
    voxels = (VOXELS >> 8).astype(np.uint8)
    grey = np.repeat(np.arange(256, dtype=np.uint16)[None] * 257, 3, 0)
    palette = {"photometric": "palette", "colormap": grey}
    np.testing.assert_array_equal(values(write(tmp_path, voxels, **palette)), voxels)
    palette["colormap"] = grey * np.array([[1], [0], [1]], np.uint16)
    with pytest.raises(InputError, match="numbers of a palette's colours"):
        values(write(tmp_path, voxels, **palette))


@pytest.mark.parametrize(("orientation", "said"), [(3, "turned by 180"), (4, "upside down")])
def test_an_orientation_that_programs_take_differently_is_refused(tmp_path, orientation, said):
    path = write(tmp_path, extratags=[(274, 3, 1, orientation, True)])
    with pytest.raises(InputError, match=rf"{said}.*TIFF orientation {orientation}"):
        values(path)


def test_planes_behind_one_page_are_read(tmp_path):
    """ImageJ writes stacks above 4 GB so."""
    many = {"imagej": True, "metadata": {"axes": "ZYX"}, "truncate": True}
    path = write(tmp_path, **many)
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
    np.testing.assert_array_equal(values(path), VOXELS)
    path.write_bytes(path.read_bytes()[: -VOXELS[0].nbytes])
    with pytest.raises(InputError, match=r"is truncated: .* its 12 slices end at byte"):
        values(path)


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_file_cut_anywhere_is_called_truncated(tmp_path, compression):
    path = write(tmp_path, compression=compression)
    whole = path.read_bytes()
    for part in np.arange(0.05, 1, 0.05):
        path.write_bytes(whole[: int(part * len(whole))])
        with pytest.raises(InputError, match=r"is truncated: \d+ bytes where"):
            values(path)


def test_damaged_compressed_pixels_are_refused(tmp_path):
    path = write(tmp_path, compression="deflate")
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(
        InputError, match=r"cannot be read as TIFF, .*\(page \d+: .*export it again"
    ):
        values(path)


def test_what_is_no_tiff_is_refused(tmp_path):
    path = write(tmp_path)
    path.write_text("hello")
    with pytest.raises(InputError, match="cannot be read as TIFF"):
        values(path)


def test_pages_at_one_place_and_a_chain_that_ends_early_are_refused(tmp_path):
    path = write(tmp_path)
    whole = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        offset = file.pages[4].tags["StripOffsets"].valueoffset
        link = file.pages[4].offset + 2 + 12 * len(file.pages[4].tags)
        first = file.pages[3].dataoffsets[0]
    moved = whole.copy()
    struct.pack_into("<I", moved, offset, first + 100)
    path.write_bytes(moved)
    with pytest.raises(InputError, match="two of its pages have pixels at the same place"):
        values(path)
    struct.pack_into("<I", whole, link, 0)
    path.write_bytes(whole)
    with pytest.raises(InputError, match="its chain of pages is broken"):
        values(path)


def test_a_single_page_is_no_volume(tmp_path):
    with pytest.raises(InputError, match="has one page of 44 x 40 pixels, which is no 3D volume"):
        values(write(tmp_path, VOXELS[:1]))


def test_slabs_are_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(slabs, "SLAB_VOXELS", 5 * VOXELS[0].size)
    _, parts = read_slabs(write(tmp_path))
    parts = list(parts)
    assert [len(part) for part in parts] == [5, 5, 2]
    np.testing.assert_array_equal(np.concatenate(parts), VOXELS)


def test_a_warning_of_the_library_is_not_shown(tmp_path, capfd):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(InputError):
        values(path)
    assert capfd.readouterr().err == ""


def test_files_are_the_pages_and_the_sidecar(tmp_path):
    path = write(tmp_path)
    assert input_files(path) == [path, tmp_path / "spacing.json"]
