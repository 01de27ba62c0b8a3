"""Stops a running workflow as people, clusters and power cuts do, at random moments."""

import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import psutil
from workflow_copy import ENVIRONMENT, ROOT, Workflow

# A job is looked for this often, and killed up to this long after it was seen (seconds).
POLL = 0.02
LONGEST_DELAY = 1.2
# The sealing is the last job and takes half a second: a later kill would find the study ended.
LAST_STAGE, LAST_DELAY = "provenance", 0.1
SCRIPT = re.compile(r"\.snakemake/scripts/\S*?\.(\w+)\.py")


def stages() -> dict[str, str]:
    """Return the stage (the file in rules/) of every rule that runs a script."""
    return {
        rule: path.stem
        for path in sorted((ROOT / "rules").glob("*.smk"))
        for rule in re.findall(r"^rule (\w+):", path.read_text(), re.MULTILINE)
    }


@dataclass
class Interruptions:
    """Runs a workflow through ``wanted`` kills or more, at least two in each stage.

    Attributes
    ----------
    kills
        How often each way to stop it was used.
    hit
        How often each stage had a job running when it was stopped.
    """

    workflow: Workflow
    wanted: int
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    hit: Counter[str] = field(default_factory=Counter)
    stage_of: dict[str, str] = field(default_factory=stages)

    def run(self) -> None:
        """Start, stop and continue the workflow until all kills are done.

        The sealing is so short that a kill may come too late for it; then it is done again.
        """
        while self.kills.total() < self.wanted or self.lacking():
            with (self.workflow.folder / "interrupted.log").open("a") as log:
                process = subprocess.Popen(
                    self.workflow.command("--rerun-incomplete"),
                    cwd=self.workflow.folder,
                    env=ENVIRONMENT,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    # A shell that sends pytest to the background makes it deaf to Ctrl-C, and
                    # a child would be as deaf.
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                )
            if self.wait_for_moment(process):
                self.stop(process)
                continue
            assert process.returncode == 0
            assert set(self.lacking()) <= {LAST_STAGE}, (
                f"the study ended after {self.kills.total()} of {self.wanted} kills; {self.hit}"
            )
            (self.workflow.results / "records/root.json").unlink()

    def lacking(self) -> dict[str, int]:
        """Return how many kills stages lack."""
        wanted = {stage: 2 - self.hit[stage] for stage in set(self.stage_of.values())}
        return {stage: number for stage, number in wanted.items() if number > 0}

    def wait_for_moment(self, process: subprocess.Popen) -> bool:
        """Wait for a job of a stage that needs kills, then a random time; False if it ended."""
        while process.poll() is None:
            running = self.running(process)
            if self.needed(running):
                longest = LAST_DELAY if LAST_STAGE in running else LONGEST_DELAY
                # So that the kill falls at any moment of the stage, not at its start.
                time.sleep(self.chance.uniform(0, longest))
                return process.poll() is None
            time.sleep(POLL)
        return False

    def needed(self, running: Counter[str]) -> bool:
        """Whether to stop it now: a stage lacks kills, or there are kills to spare."""
        if not running:
            return False
        lacking = self.lacking()
        to_spare = self.wanted - self.kills.total() - sum(lacking.values())
        return any(stage in lacking for stage in running) or (
            # Kills to spare are spread over the run: about one in fifty looks.
            to_spare > 0 and self.chance.random() < 0.02
        )

    def running(self, process: subprocess.Popen) -> Counter[str]:
        """Return how many jobs of each stage run."""
        found: Counter[str] = Counter()
        with suppress(psutil.Error):
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    script = SCRIPT.search(" ".join(child.cmdline()))
                    if script and child.name() != "bash":
                        found[self.stage_of[script[1]]] += 1
        return found

    def stop(self, process: subprocess.Popen) -> None:
        """Stop the workflow in one of the ways that happen, and unlock it if it asks for that."""
        ways = {
            "Ctrl-C": self.ctrl_c,
            "SIGTERM to all": lambda p: os.killpg(p.pid, signal.SIGTERM),
            "SIGKILL to all": lambda p: os.killpg(p.pid, signal.SIGKILL),
            "SIGKILL to Snakemake": lambda p: p.kill(),
            "SIGTERM to a job": self.terminate_jobs,
        }
        way = self.chance.choice(list(ways))
        for stage in self.running(process):
            self.hit[stage] += 1
        self.kills[way] += 1
        ways[way](process)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"Snakemake did not end within 60 s of {way}") from None
        if "SIGKILL" in way:
            self.workflow.output_of("--unlock")

    def ctrl_c(self, process: subprocess.Popen) -> None:
        os.killpg(process.pid, signal.SIGINT)

    def terminate_jobs(self, process: subprocess.Popen) -> None:
        # A job may end before its signal comes; then the next one gets it.
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(psutil.Error):
                for child in psutil.Process(process.pid).children(recursive=True):
                    with suppress(psutil.Error):
                        child.terminate()
            time.sleep(0.5)
