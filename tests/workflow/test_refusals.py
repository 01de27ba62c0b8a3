"""What a person gets wrong is refused with one message and no traceback."""

import gzip

import numpy as np
import pytest
import SimpleITK as sitk
from workflow_copy import Workflow, copy_workflow

THESIS = "config/thesis.yaml"


@pytest.fixture(scope="module")
def workflow(tmp_path_factory) -> Workflow:
    """A workflow that has not run."""
    return copy_workflow(tmp_path_factory.mktemp("refusals"))


def refusal(workflow: Workflow, *arguments: str, overlay: str | None = None) -> str:
    """Run Snakemake, which must fail without a traceback, and return what it printed."""
    process = workflow.snakemake(*arguments, overlay=overlay)
    output = process.stdout + process.stderr
    assert process.returncode != 0, output
    assert "Traceback" not in output
    return output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("sead=2", "sead: unknown key"),
        ('patches={"sise": 32}', "patches.sise: unknown key"),
    ],
)
def test_a_wrong_key_is_refused_before_any_job(workflow, change, message):
    assert message in refusal(workflow, "--dry-run", "--config", change)
    assert not workflow.results.exists()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("A\tE1\tE1\tE3\nB\tE2\tE3\tE1\nC\tE3\tE1\tE2", "group A: specimen E1 is in both"),
        ("A\tE1\tE2\tE3\nB\tE2\tE3\tE1", "specimen E3 is tested by no group"),
        ("A\tE1, E2\tE3\t\nB\tE3\tE1\tE2", "its validation set is empty"),
        ("A\tE1\tE2\tE3\nB\tE2\tE3\tE1\nC\tE3, E1\tE9\tE2", "names the specimen E9"),
    ],
)
def test_impossible_folds_are_refused(workflow, table, message):
    groups = workflow.folder / "config/wrong_groups.tsv"
    groups.write_text(f"group\ttesting\ttraining\tvalidation\n{table}\n")
    change = 'groups={"table": "config/wrong_groups.tsv"}'
    assert message in refusal(workflow, "--dry-run", "--config", change)


@pytest.mark.parametrize("name", ["a/b", "../E1", "E.1", "E 1"])
def test_a_specimen_name_that_is_no_folder_name_is_refused(workflow, name):
    table = workflow.folder / "config/wrong_specimens.tsv"
    table.write_text(f"specimen\tside\n{name}\tright\nE2\tleft\nE3\tright\n")
    change = 'data={"specimens": "config/wrong_specimens.tsv"}'
    assert f"'{name}' is no specimen name" in refusal(workflow, "--dry-run", "--config", change)


def test_absent_thesis_scans_are_listed_with_their_places(workflow):
    output = refusal(workflow, "--dry-run", overlay=THESIS)
    assert "12 raw files are missing; they belong here" in output
    assert "S3_8: data/thesis/S3_8/microct.nii.gz" in output


@pytest.mark.parametrize(("overlay", "groups"), [(THESIS, 3), ("config/wimmer.yaml", 6)])
def test_stand_ins_of_the_right_names_show_the_whole_dag(workflow, overlay, groups):
    # The thesis has two methods; the other study trains the residual U-Net beside them.
    methods = 2 if overlay == THESIS else 3
    study = overlay.removeprefix("config/").removesuffix(".yaml")
    table = (workflow.folder / f"config/{study}_specimens.tsv").read_text().splitlines()[1:]
    for line in table:
        for path in line.split("\t")[2:4]:
            file = workflow.folder / "data" / study / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    plan = workflow.output_of("--dry-run", overlay=overlay)
    counts = dict(
        line.split() for line in plan.splitlines()
        if len(line.split()) == 2 and line.split()[1].isdigit()
    )  # fmt: skip
    assert int(counts["register_pair"]) == len(table)
    assert int(counts["train"]) == methods * groups
    assert int(counts["vote_atlases"]) == len(table)
    assert int(counts["predict"]) == 2 * len(table)


def scan(shape, spacing, low, high, seed=0):
    random = np.random.default_rng(seed)
    image = sitk.GetImageFromArray(random.uniform(low, high, shape).astype(np.float32))
    image.SetSpacing((spacing,) * 3)
    return image


@pytest.fixture
def lab(tmp_path):
    """A lab's study of three ears in files; the first ear's scans are the test's to spoil."""
    workflow = copy_workflow(tmp_path / "lab")
    rows = []
    for number in (1, 2, 3):
        folder = workflow.folder / f"data/E{number}"
        folder.mkdir(parents=True)
        sitk.WriteImage(scan((30,) * 3, 0.6, -1000, 2000, number), folder / "ct.nii.gz")
        sitk.WriteImage(scan((32,) * 3, 0.4, 0, 0.06, number), folder / "microct.nii.gz")
        rows.append(f"E{number}\tright\tE{number}/ct.nii.gz\tE{number}/microct.nii.gz")
    table = workflow.folder / "config/miniature_specimens.tsv"
    table.write_text("specimen\tside\tct\tmicroct\n" + "\n".join(rows) + "\n")
    return workflow


def spoil_truncated(ear):
    path = ear / "ct.nii.gz"
    path.write_bytes(path.read_bytes()[:2000])


def spoil_nan(ear):
    image = sitk.ReadImage(ear / "microct.nii.gz")
    image[3, 3, 3] = float("nan")
    sitk.WriteImage(image, ear / "microct.nii.gz")


def spoil_constant(ear):
    sitk.WriteImage(sitk.ReadImage(ear / "ct.nii.gz") * 0, ear / "ct.nii.gz")


def spoil_swapped(ear):
    (ear / "ct.nii.gz").rename(ear / "other.nii.gz")
    (ear / "microct.nii.gz").rename(ear / "ct.nii.gz")
    (ear / "other.nii.gz").rename(ear / "microct.nii.gz")


def spoil_not_a_volume(ear):
    (ear / "ct.nii.gz").write_bytes(gzip.compress(b"not a volume"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_truncated, "ct.nii.gz"),
        (spoil_nan, "NaN"),
        (spoil_constant, "every voxel is 0"),
        (spoil_swapped, "swapped"),
        (spoil_not_a_volume, "ct.nii.gz"),
    ],
)
def test_an_unusable_scan_is_refused_by_name_and_nothing_is_left(lab, spoil, message):
    spoil(lab.folder / "data/E1")
    outputs = [f"results/miniature/specimens/E1/{name}.nii" for name in ("ct", "microct", "mask")]
    change = 'data={"source": "files"}'
    output = refusal(lab, outputs[0], "--config", change)
    errors = [line for line in output.splitlines() if "ERROR: " in line]
    assert len(errors) == 1
    assert message in errors[0]
    assert not any((lab.folder / path).exists() for path in outputs)
    assert (lab.folder / "results/miniature/logs/register_pair/E1.log").read_text().count("ERROR")
