"""Follows a page's worked example, block by block, in a copy of the project."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from pages import NOT_RUN, ROOT, Block, blocks_of, commands_of

# What a person who follows a page has before them.
PARTS = ("Makefile", "Snakefile", "config.yaml", "config", "rules", "scripts", "envs", "docs",
         "src", "pyproject.toml", "tests/conftest.py", "tests/methods")  # fmt: skip
IGNORED = shutil.ignore_patterns("__pycache__", "*.egg-info")
REFUSED = "refused:"


@dataclass
class Copy:
    """A copy of the project in ``folder``, and what its commands printed, by command."""

    folder: Path
    printed: dict[str, str] = field(default_factory=dict)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the page has it, with this copy's library.

        Networks this small are no faster on several threads, and wait for each other on a busy
        machine.
        """
        own = {"PYTHONPATH": str(self.folder / "src"), "PYTHONWARNINGS": "ignore",
               "OMP_NUM_THREADS": "1"}  # fmt: skip
        return subprocess.run(
            ["bash", "-c", command], cwd=self.folder, capture_output=True, text=True, check=False,
            env=os.environ | own,
        )  # fmt: skip

    def follow(self, page: Path) -> None:
        """Write the page's files and run its commands, in the page's order."""
        for block in blocks_of(page):
            if block.title:
                path = self.folder / block.title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            elif block.language == "bash" and not block.comment.startswith(NOT_RUN):
                self._follow_commands(block)

    def _follow_commands(self, block: Block) -> None:
        for command in commands_of(block):
            process = self.run(command)
            output = process.stdout + process.stderr
            self.printed[command] = output
            assert "Traceback" not in output, f"{block}: {command}\n{output[-5000:]}"
            if block.comment.startswith(REFUSED):
                assert process.returncode != 0, f"{block}: {command}"
                assert block.comment.removeprefix(REFUSED).strip() in output, output[-5000:]
            else:
                assert process.returncode == 0, f"{block}: {command}\n{output[-5000:]}"


def copy_project(folder: Path) -> Copy:
    """Copy the project; `.venv` there is the environment that these tests run in."""
    folder.mkdir(parents=True)
    for part in PARTS:
        target = folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target, ignore=IGNORED)
        else:
            shutil.copy(ROOT / part, target)
    (folder / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    copy = Copy(folder)
    place = copy.run(".venv/bin/python -c 'import otosynth; print(otosynth.__file__)'").stdout
    assert Path(place.strip()).is_relative_to(folder), place
    return copy


def planned(plan: str) -> dict[str, int]:
    """Read how many jobs of each rule a dry run plans."""
    words = (line.split() for line in plan.splitlines())
    return {w[0]: int(w[1]) for w in words if len(w) == 2 and w[1].isdigit()}
