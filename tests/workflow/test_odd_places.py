"""The study where things have odd names, no home can be written, and the terminal knows ASCII."""

import csv
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from workflow_copy import Workflow, copy_workflow

PLACE = "a folder with spaces (ä), 'quotes' \"\" #1 & 50% $HOME"
DATA = "raw data (ö) 'x' #2 %s *?"
RESULTS = "my results & more (ü) #3"
# Nothing can be made in /proc, whoever asks.
POOR = {
    "HOME": "/proc/none",
    "XDG_CACHE_HOME": "/proc/none/cache",
    "LANG": "C",
    "LC_ALL": "C",
    "PYTHONIOENCODING": "ascii",
}
OVERLAY = """
study: lab
label: a lab's ears
results: "{results}"
data: {{source: files, folder: "{folder}", specimens: "{folder}/ears (é).csv"}}
"""


@dataclass(frozen=True)
class OddWorkflow(Workflow):
    """A workflow whose Python lies beside it, as `make` puts it there."""

    def command(self, *arguments: str, overlay: str | None = None) -> list[str]:
        return [
            str(self.folder / ".venv/bin/python"),
            *super().command(*arguments, overlay=overlay)[1:],
        ]

    def snakemake(self, *arguments: str, overlay: str | None = None):
        return subprocess.run(
            self.command(*arguments, overlay=overlay),
            cwd=self.folder,
            env=os.environ | POOR,
            capture_output=True,
            encoding="ascii",
            check=False,
        )


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> OddWorkflow:
    workflow = copy_workflow(tmp_path_factory.mktemp("odd") / PLACE)
    (workflow.folder / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    return OddWorkflow(workflow.folder)


pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder without room")


def test_the_miniature_study_runs_in_an_odd_place(odd, tmp_path):
    # From the phantom to a figure, which is where Matplotlib wants a folder in the home.
    target = "specimens/E1/qc/histogram.png"
    odd.output_of(f"results/miniature/{target}")
    assert (odd.results / target).stat().st_size > 1000

    data = tmp_path / DATA
    shutil.copytree(odd.results / "phantom/E1", data / "Öhr 1")
    rows = [("specimen", "side", "ct", "microct")]
    for name in ("E1", "E2", "E3"):
        rows.append((name, "right", "Öhr 1/ct.nii.gz", "Öhr 1/microct.nii.gz"))
    with (data / "ears (é).csv").open("w", newline="", encoding="utf-16") as stream:
        csv.writer(stream).writerows(rows)
    # All of the miniature but where its ears come from.
    _, _, settings = (odd.folder / odd.overlay).read_text().partition("groups:\n")
    overlay = OVERLAY.format(results=RESULTS, folder=data) + "groups:\n" + settings
    (odd.folder / "config/lab.yaml").write_text(overlay, encoding="utf-8")
    lab = f"{RESULTS}/lab/specimens/E1"
    odd.output_of(f"{lab}/classmap.nii", overlay="config/lab.yaml")
    for name in ("ct", "microct", "mask", "classmap"):
        made, same = odd.folder / lab / f"{name}.nii", odd.results / f"specimens/E1/{name}.nii"
        assert made.read_bytes() == same.read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('data={"folder": "my {data}"}', "the key data.folder is 'my {data}'"),
        ("results=my{}results", "the key results is 'my{}results'"),
        ("label=of {some} ears", "the key label is 'of {some} ears'"),
    ],
)
def test_braces_are_refused_in_one_message(odd, change, message):
    process = odd.snakemake("--dry-run", "--config", change)
    output = process.stdout + process.stderr
    assert process.returncode != 0
    assert "Traceback" not in output
    assert message in output
    assert "takes what stands in braces for a wildcard" in output


def test_a_repository_in_braces_is_refused_in_one_message(tmp_path):
    workflow = copy_workflow(tmp_path / "my {study}")
    process = workflow.snakemake("--dry-run")
    output = process.stdout + process.stderr
    assert process.returncode != 0
    assert "the repository's folder is '" in output
    assert "Traceback" not in output
