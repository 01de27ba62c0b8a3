"""`otosynth check`: a study, or scans as they come, looked at before anything runs."""

import argparse
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from otosynth.commands.arguments import Commands, add_command
from otosynth.errors import InputError

TEXT = "validate scans, or a study's configuration, tables and scans, before anything runs"
EPILOG = """
Scans: given scans, or folders that hold some, it reads each and lists in a table its format, size,
voxels, field of view, axes, handedness, units, padding and range, and what is odd about it: axes
that are left-handed, a unit that was converted or is not stated, values that are no HU, padding. A
scan that is refused has its message there, the others are listed all the same. Nothing is changed.

A study: given configuration files (.yaml), it reads what `snakemake --configfile CONFIG` would
read: config.yaml in the current folder, then CONFIG over it, the tables of ears and groups, and
every scan. All problems are listed at once: a file that is missing, damaged or no volume, NaN, CT
and micro-CT swapped, one file in two rows, an initial transform that cannot be read or brings the
scans apart, a micro-CT smaller than a patch. It warns of a CT that does not look like HU, of a CT
smaller than the micro-CT, and of what a file does not state or states twice. Nothing of the study
is run or changed, and nothing is registered.

Written of a study to --out: check.html, a page with a table of all scans (format, size, voxels,
axes, units, padding, range) and the middle planes of each. Look at it for the wrong ear, the wrong
side and the wrong orientation, which no program can know. Written of scans to --table, if given:
their table, parted by tabs. Exit status 1 if there are problems or a scan is refused, 0 if there
are warnings alone.

examples:
  otosynth check scans/ear.nrrd scans/dicom
  otosynth check scans --table scans.tsv
  otosynth check config/mylab.yaml
  otosynth check config/mylab.yaml --data /scans/mylab --out mylab-check
"""


def add_check(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "check", TEXT, EPILOG)
    parser.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="scans and folders of scans, or a study's configuration (.yaml)",
    )
    parser.add_argument(
        "--base", type=Path, default=Path("config.yaml"), help="the default study (config.yaml)"
    )
    parser.add_argument("--data", type=Path, help="folder of the raw scans, for data.folder")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the page (<study>-check)"
    )
    parser.add_argument("--table", type=Path, metavar="FILE", help="table of scans, with tabs")
    parser.set_defaults(run=run_check)


def run_check(options: argparse.Namespace) -> int:
    """Check scans or a study; 0 if nothing would stop it."""
    configurations = [path for path in options.paths if path.suffix.lower() in (".yaml", ".yml")]
    if not configurations:
        return _run_scans(options)
    if len(configurations) < len(options.paths):
        others = sorted(str(path) for path in set(options.paths) - set(configurations))
        raise InputError(
            f"{others[0]}: is no configuration (.yaml); check a study and other scans one after "
            "the other."
        )
    return _run_study(options)


def _run_scans(options: argparse.Namespace) -> int:
    """Print the table of scans; 1 if any is refused."""
    from otosynth.checking.scan_check import check_scans, print_checks, scans_of, write_table

    checks = list(check_scans(scans_of(options.paths)))
    print_checks(checks, Console())
    if options.table:
        write_table(checks, options.table)
    return 1 if any(check.refused for check in checks) else 0


def _run_study(options: argparse.Namespace) -> int:
    """Check a study; 0 if nothing would stop it."""
    from otosynth.checking.page import picture_of, write_page
    from otosynth.checking.study_check import check_ears, read_study

    console = Console(soft_wrap=True)
    study, specimens, groups = read_study(options.paths, options.base, options.data)
    console.print(
        f"{escape(study.study)}: configuration and tables are valid; {len(specimens)} ears in "
        f"{len(groups)} groups, {len(study.methods)} method(s).",
        highlight=False,
    )
    if study.data.source == "phantom":
        console.print("The study makes its own ears (phantom); there are no scans to read.")
        return 0
    ears, pictures = [], {}
    for ear in check_ears(study, specimens):
        pictures[ear.specimen.name] = picture_of(ear, study.label)
        # The scans are large, and one ear's are enough to hold.
        ears.append(replace(ear, scans={}))
        sign = "[red]problem[/]" if ear.problems else "[green]ok[/]"
        console.print(f"{sign} {escape(ear.specimen.name)}", highlight=False)
        facts = (seen.sentence for seen in ear.facts)
        for text in (*facts, *ear.warnings, *ear.problems):
            console.print(f"  {escape(text)}", highlight=False)
    page = (options.out or Path(f"{study.study}-check")) / "check.html"
    write_page(page, study, groups, ears, pictures)
    problems = sum(len(ear.problems) for ear in ears)
    console.print(f"{problems} problem(s). Pictures: {escape(str(page))}", highlight=False)
    return 1 if problems else 0
