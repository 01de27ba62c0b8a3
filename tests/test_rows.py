"""Rows of the tables: their kinds, their order, and where their results lie."""

from otosynth.configuration.atlas import AtlasSettings
from otosynth.rows import CEILINGS, YARDSTICKS, Kind, kind_of, study_rows, without_ceilings

TRAINED = {"multi_task": "Multi-task"}


def rows_of(**options):
    atlases = AtlasSettings(fusions=("majority", "staple"))
    return study_rows(atlases, TRAINED, [1, 2], **({"is_phantom": True} | options))


def test_rows_come_by_kind_yardsticks_first_and_ceilings_last():
    rows = rows_of()
    names = [*YARDSTICKS, "atlas", "atlas_staple", "multi_task", *CEILINGS]
    assert list(rows) == names
    assert [kind_of(name) for name in names] == [row.kind for row in rows.values()]
    assert list(dict.fromkeys(row.kind for row in rows.values())) == list(Kind)
    assert without_ceilings(names) == names[: -len(CEILINGS)]


def test_only_what_is_trained_has_training_seeds():
    seeds = {row.kind: row.seeds for row in rows_of().values()}
    assert seeds == {
        Kind.YARDSTICK: (0,), Kind.ATLAS: (0,), Kind.TRAINED: (1, 2), Kind.CEILING: (0,),
    }  # fmt: skip


def test_results_lie_where_they_always_lay():
    rows = rows_of()
    assert rows["atlas_staple"].classmap_of("E1", 0) == "atlas/E1/staple.nii.gz"
    folder = "predictions/E1/multi_task/seed-2"
    assert rows["multi_task"].classmap_of("E1", 2) == f"{folder}/classmap.nii.gz"
    assert rows["multi_task"].microct_of("E1", 2) == f"{folder}/microct.nii.gz"
    assert rows["ct_otsu"].classmap_of("E1", 0) == "yardsticks/E1/ct_otsu.nii.gz"
    assert rows["ct_otsu"].microct_of("E1", 0) == ""
    assert rows["exact_classes"].classmap_of("E1", 0) == "phantom/E1/labels.nii.gz"


def test_exact_classes_are_known_of_phantoms_alone():
    assert "exact_classes" not in rows_of(is_phantom=False)
    assert "blurred_microct_otsu" in rows_of(is_phantom=False)
