"""docs/adding-a-method.md, followed word for word in a copy of the project."""

import pytest
from following import Copy, copy_project, planned
from pages import ROOT

PAGE = ROOT / "docs/adding-a-method.md"
DRY_RUN = ".venv/bin/snakemake --dry-run --configfile config/dual-unet.yaml"


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Copy:
    """The project after the page's last step: every command ended as the page says."""
    copy = copy_project(tmp_path_factory.mktemp("method") / "otosynth")
    copy.follow(PAGE)
    return copy


def test_its_tests_ran(copy):
    output = copy.printed[".venv/bin/pytest --quiet tests/methods/test_dual_unet.py"]
    assert "5 passed" in output


def test_the_study_plans_it_beside_the_other(copy):
    plan = copy.printed[DRY_RUN]
    groups = 3
    jobs = planned(plan)
    # Two blocks are trained on every group, and every ear is predicted by both.
    assert jobs["train"] == jobs["select_epoch"] == 2 * groups
    # One of them tells how sure it is, which is a rule of its own.
    assert jobs["predict"] == jobs["predict_confidence"] == 6
    for group in "ABC":
        assert f"training/{group}/dual_unet/seed-1" in plan
    assert "single_task" not in plan


def test_its_keys_are_in_the_reference(copy):
    page = (copy.folder / "docs/configuration.md").read_text(encoding="utf-8")
    for key in ("width", "levels", "loss_weights.dice"):
        assert f"`methods.dual_unet.{key}`" in page
    assert "`methods.dual_unet" not in (ROOT / "docs/configuration.md").read_text(encoding="utf-8")


def test_nothing_but_the_page_s_files_is_new(copy):
    """No rule, no script and no line of the trainer had to change."""
    for part in ("rules", "scripts", "src/otosynth/training"):
        assert sources_in(copy.folder / part) == sources_in(ROOT / part)


def sources_in(folder):
    files = [path for pattern in ("*.py", "*.smk") for path in folder.rglob(pattern)]
    return {path.relative_to(folder): path.read_bytes() for path in files}
