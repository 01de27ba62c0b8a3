"""Figures and tables carry a digest in every format; damaged files carry none."""

import pandas as pd
import pytest

from otosynth.figures.style import new_figure, write_figure
from otosynth.provenance.carried import carried_digest, carried_fold
from otosynth.tables import write_table

DIGEST = "0123456789abcdef" * 4


@pytest.fixture
def files(tmp_path):
    paths = {suffix: tmp_path / f"x{suffix}" for suffix in (".png", ".pdf", ".csv", ".md")}
    figure = new_figure("Title", "phantom", "", 1.0)
    write_figure(figure, [str(paths[".png"]), str(paths[".pdf"])], 50, DIGEST)
    table = pd.DataFrame({"Specimen": ["E1", "E2"], "Dice": [0.5, 0.25]})
    write_table(table, "phantom", [str(paths[".csv"]), str(paths[".md"])], DIGEST)
    return paths


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".csv", ".md"])
def test_every_format_carries_the_digest(files, suffix):
    assert carried_digest(files[suffix]) == DIGEST


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".csv", ".md"])
def test_a_damaged_file_carries_none(files, suffix):
    files[suffix].write_bytes(b"\xff\xfe\x00" + files[suffix].read_bytes()[40:60])
    assert carried_digest(files[suffix]) is None


def test_a_table_of_rows_from_several_runs_carries_none(files):
    text = files[".csv"].read_text()
    files[".csv"].write_text(text.replace(DIGEST, "f" * 64, 1))
    assert carried_digest(files[".csv"]) is None


def test_what_is_no_checkpoint_carries_no_fold(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"no checkpoint")
    assert carried_fold(tmp_path / "x.safetensors") == {}
