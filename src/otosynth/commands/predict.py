"""`otosynth predict`: a synthetic micro-CT and class map of a CT never seen."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from otosynth.commands.arguments import Commands, add_command, add_places, positive

if TYPE_CHECKING:
    from otosynth.prediction.checks import Check
    from otosynth.prediction.predict import Progress as Tell

DEFAULT_MODEL = "phantom/residual_unet"
TEXT = "predict the micro-CT and the tissue classes of a CT never seen"
EPILOG = f"""
The CT may be NIfTI, NRRD, MetaImage, TIFF slices with spacing.json, or a folder with one DICOM
series, in Hounsfield units, of one ear. It is compared with the model's training CTs, brought to
their side and pose, predicted by all members of the ensemble, and brought back.

The model is STUDY/METHOD (all groups of a finished study in results/), STUDY/GROUP/METHOD, or a
file of `otosynth export`. The default, {DEFAULT_MODEL}, is what `make study` trains: it has seen
virtual ears only and shows how the tool works.

Written to --out: microct, classmap, uncertainty, microct_std and mask (.nii.gz and the CT's own
format), quality.png and .pdf (look at it first), pose.tfm and prediction.json. Exit status
1 if a check refuses the CT; nothing is written then.

examples:
  otosynth phantom --out trial
  otosynth predict trial/ct.nii.gz
  otosynth predict scans/ear7_dicom --side left --model mylab/multi_task --out ear7
  otosynth predict ear.nrrd --model mylab.safetensors
"""


def add_predict(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "predict", TEXT, EPILOG)
    parser.add_argument("ct", type=Path, metavar="CT", help="the scan: a file or a folder")
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help=f"which trained model ({DEFAULT_MODEL})"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder (<CT's name>-otosynth)")
    parser.add_argument(
        "--side", choices=["left", "right"], help="side of the ear (told by which matches better)"
    )
    parser.add_argument(
        "--stated", default="", metavar="TEXT",
        help="what the CT's file does not state, such as orientation=LPS (key data.ct_stated)",
    )  # fmt: skip
    parser.add_argument(
        "--search",
        choices=["45 degrees", "full sphere"],
        default="45 degrees",
        help="how far the CT may be turned against the training CTs; the full sphere takes minutes",
    )
    parser.add_argument(
        "--format",
        choices=["both", "nifti", "own"],
        default="both",
        help="NIfTI, the CT's own format, or both (both)",
    )
    parser.add_argument(
        "--force", action="store_true", help="predict although a check refuses the CT"
    )
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to compute (auto)"
    )
    parser.add_argument(
        "--threads", type=positive, help="arithmetic threads (as in training, so that the last "
        "digits repeat)",
    )  # fmt: skip
    add_places(parser)
    parser.set_defaults(run=run_predict)


def run_predict(options: argparse.Namespace) -> int:
    """Predict; 0 when all is written."""
    # Imported here: torch and SimpleITK take seconds, for which `--help` would wait.
    from otosynth.api import load_model, padding_of, read_scan
    from otosynth.prediction.outputs import check_folder, write_prediction
    from otosynth.prediction.predict import predict_ct
    from otosynth.volumes.stated import Stated

    console = Console(soft_wrap=True)
    stated = Stated.parse(options.stated)
    folder = options.out or default_folder(options.ct)
    ct = read_scan(options.ct, options.stated)
    check_folder(folder, options.ct)
    model = load_model(options.model, options.results, options.data)
    with shown_progress() as progress:
        prediction = predict_ct(
            ct, model, options.side, options.search, options.force, options.device,
            options.threads, progress, padding_of(options.ct),
        )  # fmt: skip
    show_checks(console, prediction.checks)
    formats = ("nifti", "own") if options.format == "both" else (options.format,)
    written = write_prediction(prediction, model, options.ct, folder, formats, stated)
    console.print(
        f"Predicted as a {prediction.placement.side} ear by {escape(model.facts.name)} "
        f"({len(model.facts.members)} member(s); trained on: {escape(model.facts.label)}).\n"
        f"{len(written)} results are in {escape(str(folder))}; look at "
        f"{escape(str(folder / 'quality.png'))} first.",
        highlight=False,
    )
    return 0


def default_folder(ct: Path) -> Path:
    """Return the folder for a scan, in the current one: its name without a file's ending."""
    # As the user named it: where a link leads, a store may have given it a hash for a name.
    ct = Path(os.path.abspath(ct))  # noqa: PTH100 - Path has none that also does away with `..`
    if ct.is_dir():
        # A folder of slices has no ending, and may be named by a UID with dots.
        return Path(f"{ct.name}-otosynth")
    return Path(f"{Path(ct.name.removesuffix('.gz')).stem}-otosynth")


@contextmanager
def shown_progress() -> Iterator["Tell"]:
    """Show the stages of the work on standard error, while it lasts."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = {}

        def tell(stage: str, done: float) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=1.0)
            bar.update(tasks[stage], completed=done)

        yield tell


def show_checks(console: Console, checks: "tuple[Check, ...]") -> None:
    """Print one line a check, with advice where there is any."""
    styles = {"ok": "green", "warning": "yellow", "refused": "red"}
    for check in checks:
        advice = f": {check.advice}" if check.advice else ""
        console.print(
            f"[{styles[check.verdict]}]{check.verdict:8}[/] {check.name}: {escape(check.found)} "
            f"(expected: {escape(check.expected)}){escape(advice)}",
            highlight=False,
        )
