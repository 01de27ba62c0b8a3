"""A copy of the workflow in a folder of its own, so that tests never touch the user's results."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config.yaml", "config", "rules", "scripts", "envs", "docs")
SPECIMENS = "specimen\tside\nE1\tright\nE2\tleft\nE3\tright\n"
GROUPS = "group\ttesting\ttraining\tvalidation\nA\tE1\tE2\tE3\nB\tE2\tE3\tE1\nC\tE3\tE1\tE2\n"


@dataclass(frozen=True)
class Workflow:
    """The workflow in ``folder``, configured by the miniature overlay."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results" / "miniature"

    def snakemake(self, *arguments: str, overlay: str = "config/miniature.yaml"):
        """Run Snakemake as a user would; returns the finished process with its output."""
        # --configfile takes all that follows it, so it comes last.
        configfile = ["--configfile", overlay] if overlay else []
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, *configfile],
            cwd=self.folder,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            check=False,
        )

    def output_of(self, *arguments: str, **options: str) -> str:
        """Run Snakemake, which must succeed, and return all that it printed."""
        process = self.snakemake(*arguments, **options)
        output = process.stdout + process.stderr
        assert process.returncode == 0, output[-5000:]
        return output


def copy_workflow(folder: Path) -> Workflow:
    """Copy the workflow and add the miniature study to it."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / part)
    shutil.copy(ROOT / "tests/workflow/miniature.yaml", folder / "config/miniature.yaml")
    (folder / "config/miniature_specimens.tsv").write_text(SPECIMENS)
    (folder / "config/miniature_groups.tsv").write_text(GROUPS)
    return Workflow(folder)
