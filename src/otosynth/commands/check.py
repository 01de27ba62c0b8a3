"""`otosynth check`: a lab's configuration, tables and scans, before anything runs."""

import argparse
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from otosynth.commands.arguments import Commands, add_command

TEXT = "validate a study's configuration, tables and scans before anything runs, with pictures"
EPILOG = """
Reads what `snakemake --configfile CONFIG` would read: config.yaml in the current folder, then
CONFIG over it, the tables of ears and groups, and every scan. All problems are listed at once: a
file that is missing, damaged or no volume, NaN, CT and micro-CT swapped, one file in two rows, an
initial transform that cannot be read or brings the scans apart, a micro-CT smaller than a patch. It
warns of a CT that does not look like HU, of a CT smaller than the micro-CT, and of what a file does
not state or states twice. Nothing of the study
is run or changed, and nothing is registered.

Written to --out: check.html, a page with a table of all scans (format, size, voxels, axes, units,
padding, range) and the middle planes of each. Look at it for the wrong
ear, the wrong side and the wrong orientation, which no program can know. Exit status 1 if there are
problems, 0 if there are warnings alone.

examples:
  otosynth check config/mylab.yaml
  otosynth check config/mylab.yaml --data /scans/mylab --out mylab-check
"""


def add_check(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "check", TEXT, EPILOG)
    parser.add_argument("config", type=Path, nargs="+", metavar="CONFIG", help="overlay(s)")
    parser.add_argument(
        "--base", type=Path, default=Path("config.yaml"), help="the default study (config.yaml)"
    )
    parser.add_argument("--data", type=Path, help="folder of the raw scans, for data.folder")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the page (<study>-check)"
    )
    parser.set_defaults(run=run_check)


def run_check(options: argparse.Namespace) -> int:
    """Check a study; 0 if nothing would stop it."""
    from otosynth.checking.page import picture_of, write_page
    from otosynth.checking.study_check import check_ears, read_study

    console = Console(soft_wrap=True)
    study, specimens, groups = read_study(options.config, options.base, options.data)
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
