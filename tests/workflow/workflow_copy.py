"""A copy of the workflow in a folder of its own, so that tests never touch the user's results."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from otosynth.provenance.places import is_circumstantial

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config.yaml", "config", "profiles", "rules", "scripts", "envs", "docs")
SPECIMENS = "specimen\tside\nE1\tright\nE2\tleft\nE3\tright\n"
GROUPS = "group\ttesting\ttraining\tvalidation\nA\tE1\tE2\tE3\nB\tE2\tE3\tE1\nC\tE3\tE1\tE2\n"


MINIATURE = "config/miniature.yaml"
ENVIRONMENT = os.environ | {"PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True)
class Workflow:
    """The workflow in ``folder``, configured by an overlay; by none it is the default study."""

    folder: Path
    overlay: str = MINIATURE

    @property
    def study(self) -> str:
        return Path(self.overlay).stem if self.overlay else "phantom"

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.study

    def command(self, *arguments: str, overlay: str | None = None) -> list[str]:
        """Return the command that a user would give."""
        overlay = self.overlay if overlay is None else overlay
        # --configfile takes all that follows it, so it comes last.
        configfile = ["--configfile", overlay] if overlay else []
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, *configfile]

    def snakemake(self, *arguments: str, overlay: str | None = None):
        """Run Snakemake as a user would; returns the finished process with its output."""
        return subprocess.run(
            self.command(*arguments, overlay=overlay),
            cwd=self.folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )

    def output_of(self, *arguments: str, overlay: str | None = None) -> str:
        """Run Snakemake, which must succeed, and return all that it printed."""
        process = self.snakemake(*arguments, overlay=overlay)
        output = process.stdout + process.stderr
        assert process.returncode == 0, output[-5000:]
        return output


def digests(results: Path) -> dict[str, str]:
    """Return the SHA-256 of every result file by its path, without circumstances.

    The report has a section on its own run.
    """
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file()
        and not is_circumstantial(str(path.relative_to(results)))
        # Snakemake keeps a mark of its own in folders that are outputs; the lock is the run's.
        and path.name not in (".snakemake_timestamp", ".lock", "report.html")
    }


def copy_workflow(folder: Path, overlay: str = MINIATURE) -> Workflow:
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
    return Workflow(folder, overlay)
