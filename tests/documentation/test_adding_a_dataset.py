"""docs/adding-a-dataset.md, followed word for word in a copy of the project."""

import pandas as pd
import pytest
from following import Copy, copy_project, planned
from pages import ROOT

PAGE = ROOT / "docs/adding-a-dataset.md"
DRY_RUN = ".venv/bin/snakemake --dry-run --configfile config/stand-ins.yaml"
EARS = ("ear1", "ear2", "ear3")


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Copy:
    """The project after the page's last step: every command ended as the page says."""
    copy = copy_project(tmp_path_factory.mktemp("dataset") / "otosynth")
    copy.follow(PAGE)
    return copy


def test_the_study_plans_every_ear_and_group(copy):
    jobs = planned(copy.printed[DRY_RUN])
    assert jobs["register_pair"] == len(EARS)
    # Three methods in each of three groups, which test one ear each; two tell how sure they are.
    assert jobs["train"] == 3 * 3
    assert (jobs["predict"], jobs["predict_confidence"]) == (3, 2 * 3)
    assert jobs["vote_atlases"] == len(EARS)


def test_every_ear_is_registered_from_its_own_format(copy):
    table = pd.read_csv(copy.folder / "results/stand-ins/tables/registration.csv")
    assert sorted(set(table["specimen"])) == list(EARS)
    for ear in EARS:
        folder = copy.folder / f"results/stand-ins/specimens/{ear}"
        assert (folder / "microct.nii").is_file()
        for figure in ("registration", "histogram"):
            assert (folder / f"qc/{figure}.png").stat().st_size > 0


def test_results_say_that_they_are_a_phantom_s(copy):
    table = pd.read_csv(copy.folder / "results/stand-ins/tables/registration.csv")
    assert "phantom stand-ins" in table.to_string()
