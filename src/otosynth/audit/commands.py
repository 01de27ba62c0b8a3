"""The commands of `otosynth audit`."""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from otosynth.audit.help import EPILOG, EPILOGS, TEXT
from otosynth.audit.leaks import find_leaks
from otosynth.audit.replay import replay
from otosynth.audit.selection import Selection, select_cell, select_element
from otosynth.audit.trace import Tracer
from otosynth.audit.verify import verify
from otosynth.commands.arguments import Commands, add_command, positive
from otosynth.errors import InputError
from otosynth.provenance.places import Places
from otosynth.provenance.tree import RecordTree, Root, read_sealed
from otosynth.viewing.study import method_titles

MIB = 1024**2
MOST_AFFECTED = 6
PIPE_WIDTH = 500


def add_audit(commands: Commands) -> None:
    """Add `audit` with its own commands."""
    parser = add_command(commands, "audit", TEXT, EPILOG)
    inner = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = add_command(inner, name, text, EPILOGS[name])
        added.add_argument("--results", type=Path, default=Path("results/phantom"),
                           help="the study's folder (results/phantom)")  # fmt: skip
        added.add_argument("--data", type=Path, help="folder of raw scans, for a study of files")
        added.set_defaults(run=run)
        return added

    added = command("verify", run_verify, "recompute every hash; list what does not match")
    added.add_argument("--root", help="a root that was kept elsewhere, such as in a paper")
    added.add_argument(
        "--threads", type=positive, default=os.cpu_count(), help="files read at a time"
    )
    added = command("trace", run_trace, "follow a number back to the raw scans")
    added.add_argument("what", help="a table or figure, such as table3 or fig7")
    added.add_argument("element", nargs="*",
                       help="ROW COLUMN of a table; KEY=VALUE words for a figure")  # fmt: skip
    added.add_argument("--page", type=Path, help="also write an HTML page with pictures")
    command("recompute", run_recompute, "calculate the scores again from stored predictions")
    added = command("replay", run_replay, "run one job again elsewhere and compare the bytes")
    added.add_argument("result", help="a result, such as tables/table3.csv")
    added.add_argument(
        "--cores", type=positive, default=os.cpu_count(), help="cores of the job (all)"
    )
    command("leaks", run_leaks, "show that no tested ear taught the networks that predict it")
    added = command("crate", run_crate, "pack the study as a Workflow Run RO-Crate")
    added.add_argument("zip", type=Path, help="the zip to write")
    added.add_argument("--agent", required=True, help="the organisation that ran the study")
    added.add_argument("--url", required=True, help="the organisation's URL")
    added.add_argument("--licence", required=True, help="URL of the licence of the crate")
    command("list", run_list, "name all results and the jobs that made them")


def study_of(options: argparse.Namespace) -> Places:
    """Return where the study lies that a command is about."""
    return Places(options.results, options.data)


def run_verify(options: argparse.Namespace) -> int:
    """Verify a study; 0 if everything matches."""
    console = Console(soft_wrap=True)
    columns = (
        TextColumn("Reading"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        found = verify(study_of(options), options.root, options.threads, show)
    checked = f"{found.jobs} jobs, {found.files} files, {found.bytes / MIB:.0f} MiB"
    if found.left_over:
        checked += f"; {found.left_over} files of earlier configurations are not part of the root"
    for mismatch in found.mismatches:
        console.print(
            f"[red]{escape(mismatch.name)}[/red] {escape(mismatch.problem)}", highlight=False
        )
        if mismatch.job:
            print(f"  job: {_some(mismatch.job.split(', '))}")
        if mismatch.affected:
            print(f"  affected: {_some(mismatch.affected)}")
    if found.mismatches:
        print(f"{len(found.mismatches)} of what the records say does not match ({checked}).")
        return 1
    console.print(f"Everything matches: {checked}.\nroot {found.root}", highlight=False)
    return 0


def _some(names: Any) -> str:
    names = list(names)
    more = f" and {len(names) - MOST_AFFECTED} more" if len(names) > MOST_AFFECTED else ""
    return ", ".join(names[:MOST_AFFECTED]) + more


def run_trace(options: argparse.Namespace) -> int:
    """Show the chain behind a number; 0 if all of it is as recorded."""
    # Imported here: nibabel and jinja2, which only this command needs, take long to import.
    from otosynth.audit.page import as_tree, write_page

    places = study_of(options)
    tree, root = read_sealed(places)
    name = _result_called(options.what, tree)
    selection = _selection(places, root, name, options.element)
    step = Tracer(places, tree, selection).trace(name)
    # A pipe gets whole lines; a terminal wraps them.
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    console.print(
        f"{escape(selection.title)}: [bold]{escape(selection.value)}[/bold]  "
        f"(data: {escape(root['label'])})"
    )
    console.print(as_tree(step), highlight=False)
    if options.page:
        write_page(options.page, selection, step, root)
        print(f"The page is {options.page}")
    return 0 if step.whole else 1


def _result_called(what: str, tree: RecordTree) -> str:
    """Return a result by its name in records or, for a table or figure, by its file's stem."""
    shown = [name for name in tree.maker if name.startswith(("tables/", "figures/"))]
    # Of a table's files, a bare name means its CSV, whose cells can be asked for.
    stems = {Path(name).stem: name for name in sorted(shown, key=lambda n: n.endswith(".csv"))}
    if what in tree.maker:
        return what
    if what not in stems:
        raise InputError(
            f"There is no table or figure '{what}'. There are: {', '.join(sorted(stems))}."
        )
    return stems[what]


def _selection(places: Places, root: Root, name: str, element: list[str]) -> Selection:
    """Return which number of a result is asked about."""
    titles = {title: method for method, title in method_titles(root).items()}
    if not name.endswith(".csv"):
        # Studies sealed before the key have no metric.
        drawn = root["configuration"]["figures"].get("metric", "dice")
        return select_element(Path(name).stem, element, titles, drawn)
    if len(element) != 2:
        raise InputError(f"Give a ROW and a COLUMN of {name}, in quotes where they hold spaces.")
    row, column = element
    return select_cell(places.path_of(name), row, column, titles)


def run_recompute(options: argparse.Namespace) -> int:
    """Calculate all scores again; 0 if they are those reported."""
    # Imported here: scipy and pandas take long, for which every command would wait.
    from otosynth.audit.recompute import recompute

    places = study_of(options)
    tree, _ = read_sealed(places)
    differences, count = recompute(places, tree)
    for difference in differences:
        print(f"{difference.where}: reported {difference.reported:.6g}, "
              f"recomputed {difference.recomputed:.6g}")  # fmt: skip
    print(f"{count} scores calculated again; {len(differences)} differ.")
    return 1 if differences else 0


def run_replay(options: argparse.Namespace) -> int:
    """Run a job again; 0 if it gives the same bytes."""
    places = study_of(options)
    tree, root = read_sealed(places)
    with tempfile.TemporaryDirectory(prefix="otosynth-replay-") as scratch:
        outputs = replay(places, tree, root, options.result, Path(scratch), options.cores)
    for output in outputs:
        print(f"{output.name}: {'same bytes' if output.same else 'OTHER BYTES'}")
    return 0 if all(output.same for output in outputs) else 1


def run_leaks(options: argparse.Namespace) -> int:
    """Look for tested ears among what their predictions learned from; 0 if there is none."""
    tree, _ = read_sealed(study_of(options))
    leaks, count = find_leaks(tree)
    for leak in leaks:
        print(f"{leak.prediction} tests {leak.specimen}, but {leak.through} {leak.why}")
    print(f"{count} predictions looked at; {len(leaks)} leaks.")
    return 1 if leaks else 0


def run_crate(options: argparse.Namespace) -> int:
    """Pack a study, if everything matches its records."""
    # Imported here: rocrate takes a second to import.
    from otosynth.audit.crate import Publisher, write_crate

    places = study_of(options)
    mismatches = verify(places, None, os.cpu_count() or 1).mismatches
    if mismatches:
        raise InputError(
            f"{mismatches[0].name} {mismatches[0].problem}. Only what matches its records is "
            "packed; `otosynth audit verify` lists what does not."
        )
    publisher = Publisher(options.agent, options.url, options.licence)
    files = write_crate(places, *read_sealed(places), publisher, options.zip)
    print(f"{options.zip}: {files} files, each with its checksum")
    return 0


def run_list(options: argparse.Namespace) -> int:
    """List all results with their jobs."""
    tree, _ = read_sealed(study_of(options))
    for name in sorted(tree.maker):
        print(f"{name}\t{tree.maker[name]}")
    return 0
