"""Runs the script of one result's rule in this process, so that a debugger can step through it.

    python tools/debug_rule.py results/phantom/specimens/P2/classmap.nii
    python tools/debug_rule.py RESULT --pdb --configfile config/mylab.yaml --config seed=2

The script gets the `snakemake` object and the `logger` that Snakemake gives it. It runs in a folder
of its own, in which the inputs are links to the study's files. Outputs, log, record and training
state are written there; the study's results stay as they are. `breakpoint()` in the script or in
the library stops there, and so do the breakpoints of an editor that starts this file. The inputs
must exist. Whether they are up to date is not looked at.
"""

import argparse
import asyncio
import bdb
import filecmp
import os
import pdb
import pickle
import runpy
import shlex
import sys
import tempfile
import traceback
from collections.abc import Iterable, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.cli import parse_config
from snakemake.dag import DAG
from snakemake.exceptions import MissingRuleException, WorkflowError
from snakemake.iocontainers import Snakemake
from snakemake.jobs import Job
from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings
from snakemake.workflow import Workflow

from otosynth.errors import InputError
from otosynth.provenance.places import files_within

SNAKEFILE = Path(__file__).resolve().parents[1] / "Snakefile"
# A message names so many missing files.
NAMED_FILES = 5


@dataclass(frozen=True)
class ScriptRun:
    """What a job runs: a script, and the `snakemake` object that it gets."""

    script: Path
    snakemake: Snakemake


def script_run_of(
    result: str, snakefile: Path, configuration: ConfigSettings, cores: int
) -> ScriptRun:
    """Return what Snakemake would run to make a result, with the paths of this working directory.

    Raises
    ------
    InputError
        If the workflow is refused, no rule or several rules make the result, or the rule has no
        Python script.
    """
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api:
        try:
            workflow_api = api.workflow(
                ResourceSettings(cores=cores), configuration, snakefile=snakefile
            )
            workflow_api.dag()
            return _as_scripts_get_it(_job_of(result, workflow_api._workflow))
        except MissingRuleException:
            raise InputError(
                f"No rule makes {result}. Give the path of a result from the working directory, "
                "with the study's --configfile; `snakemake --summary` lists all results."
            ) from None
        except (WorkflowError, SyntaxError) as error:
            raise InputError(str(error)) from None


def _job_of(result: str, workflow: Workflow) -> Job:
    """Return the job that makes a result; the jobs before it are not looked for."""
    jobs = asyncio.run(DAG(workflow, workflow.rules).file2jobs(os.path.relpath(result)))
    if len(jobs) > 1:
        names = ", ".join(sorted(job.rule.name for job in jobs))
        raise InputError(f"Several rules make {result}: {names}.")
    return jobs[0]


def _as_scripts_get_it(job: Job) -> ScriptRun:
    rule, workflow = job.rule, job.rule.workflow
    if not rule.script or not str(rule.script).endswith(".py"):
        raise InputError(f"The rule {rule.name} runs no Python script.")
    script = Path(rule.basedir.join(rule.script).get_path_or_uri(secret_free=True)).resolve()
    snakemake = Snakemake(
        job.input, job.output, job.params, job.wildcards, job.threads, job.resources, job.log,
        workflow.config, rule.name, None, str(script.parent),
    )  # fmt: skip
    # Scripts get a pickled copy, in which paths are plain strings.
    return ScriptRun(script, pickle.loads(pickle.dumps(snakemake)))


def refuse_missing_inputs(inputs: Iterable[str], options: Sequence[str]) -> None:
    """Refuse inputs that do not exist, with the command that makes them.

    Raises
    ------
    InputError
        If an input is missing.
    """
    missing = [path for path in inputs if not Path(path).exists()]
    if missing:
        command = shlex.join(["snakemake", "--cores", "1", *missing[:NAMED_FILES], *options])
        raise InputError(
            f"{len(missing)} of the rule's inputs are missing. Make them first:\n{command}"
        )


def prepare_folder(folder: Path, run: ScriptRun) -> None:
    """Fill a folder in which the run's relative paths lead to the study's inputs and nothing else.

    The working directory's other files (`config/`, `envs/`, a lab's data) are links as well. The
    folders of results and of training states are real ones, in which only the inputs are links.

    Raises
    ------
    InputError
        If the results do not lie within the working directory.
    """
    config = run.snakemake.config
    results = Path(os.path.normpath(config["results"]))
    if results.is_absolute() or ".." in results.parts:
        raise InputError(
            f"The results of this study lie in {results}, which is not within the working "
            "directory. Start the command in a folder that holds them, with "
            "--config results=FOLDER as seen from there."
        )
    config["state"] = ".state"
    # The folder itself may lie in the working directory.
    own = {results, Path(".state"), Path(".snakemake"), Path(os.path.relpath(folder))}
    _link_all_but(Path(), folder, own)
    for path in run.snakemake.input:
        for file in files_within(Path(path)):
            link = folder / os.path.relpath(file)
            if not link.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(file.absolute())
    for path in (*run.snakemake.output, *run.snakemake.log):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)


def _link_all_but(source: Path, folder: Path, own: set[Path]) -> None:
    """Link the entries of a folder into another, but for paths that shall be its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        if entry in own:
            continue
        if any(entry in path.parents for path in own):
            _link_all_but(entry, folder / entry.name, own)
        else:
            (folder / entry.name).symlink_to(entry.absolute())


def run_script(run: ScriptRun, post_mortem: bool) -> None:
    """Run the script in this process; with ``post_mortem`` pdb opens where an exception arises."""
    names: dict[str, Any] = {"snakemake": run.snakemake, "logger": logger}
    try:
        runpy.run_path(str(run.script), names, "__main__")
    except BaseException as error:
        if isinstance(error, bdb.BdbQuit):
            sys.exit(1)
        if not post_mortem or (isinstance(error, SystemExit) and not error.code):
            raise
        # A job turns bad input into an exit status; what is of interest is where it was refused.
        cause = (error.__context__ if isinstance(error, SystemExit) else None) or error
        traceback.print_exception(cause)
        pdb.post_mortem(cause.__traceback__)
        sys.exit(1)


def tell_outputs(outputs: Iterable[str], folder: Path) -> None:
    """Print where each output lies, and whether the study's file has the same bytes."""
    for path in outputs:
        for file in files_within(folder / path):
            study_file = Path(file.relative_to(folder))
            if not study_file.exists():
                verdict = f"{study_file} does not exist"
            elif filecmp.cmp(file, study_file, shallow=False):
                verdict = f"the same bytes as {study_file}"
            else:
                verdict = f"other bytes than {study_file}"
            print(f"{file}: {verdict}")


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("result", help="a file or folder that a rule makes")
    parser.add_argument("--pdb", action="store_true", help="open pdb where an exception arises")
    parser.add_argument("--configfile", nargs="+", default=[], help="as of snakemake")
    parser.add_argument("--config", nargs="+", default=[], help="as of snakemake")
    parser.add_argument("--snakefile", type=Path, default=SNAKEFILE, help="as of snakemake")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="for `threads` of a rule")
    parser.add_argument("--folder", type=Path, help="a new folder to run in; none: a temporary one")
    return parser


def debug(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    try:
        values = parse_config(options.config)
    except ValueError as error:
        raise InputError(f"--config: {error}") from None
    files = [Path(file) for file in options.configfile]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise InputError(f"{missing[0]} is missing: --configfile takes a study's configuration.")
    run = script_run_of(
        options.result, options.snakefile, ConfigSettings(values, files), options.cores
    )
    study = ["--configfile", *options.configfile] if options.configfile else []
    study += ["--config", *options.config] if options.config else []
    refuse_missing_inputs(run.snakemake.input, study)
    if options.folder and options.folder.exists():
        raise InputError(f"{options.folder} exists. Give a folder that does not.")
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="otosynth-debug-"))).absolute()
    prepare_folder(folder, run)
    print(f"Running {run.script} in {folder}")
    with chdir(folder):
        run_script(run, options.pdb)
    tell_outputs(run.snakemake.output, folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    try:
        debug(command_line().parse_args(arguments))
    except InputError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
