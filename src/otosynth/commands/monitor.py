"""`otosynth monitor`: the curves and pictures of all trainings, in a browser."""

import argparse
import os
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path

from otosynth.commands.arguments import Commands, add_command, positive

TEXT = "watch all trainings, running and finished, in a browser (TensorBoard)"
EPILOG = """
Shows the losses and the learning rate of every training, the validation losses and score of every
checkpoint, its speed (steps a second) and the time left to its last epoch, and Fig. 5's images of
every epoch: real_A (CT), fake_B (synthetic micro-CT), real_B (micro-CT), fake_class_map and
target_class_map, the middle slice of a patch of the validation ear. Runs are named
STUDY/GROUP/METHOD/seed-N. Trainings that begin later show by themselves. Prints the address and
runs until Ctrl-C.

Written: nothing but links in a folder of its own, which goes with it.

examples:
  otosynth monitor
  otosynth monitor --study phantom --port 6007
"""
SECONDS_BETWEEN_LOOKS = 5.0


def add_monitor(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "monitor", TEXT, EPILOG)
    parser.add_argument("--study", help="one study alone (all)")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder of all studies (results)"
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path(".state"),
        help="folder of the trainings under way (.state)",
    )
    parser.add_argument("--port", type=positive, default=6006, help="of the page (6006)")
    parser.add_argument(
        "--host",
        default="localhost",
        help="name or address to listen at; others than localhost let all see it who reach this "
        "machine (localhost)",
    )
    parser.set_defaults(run=run_monitor)


def run_monitor(options: argparse.Namespace) -> int:
    """Show all trainings until Ctrl-C."""
    from otosynth.monitoring import check_runs, find_runs, link_runs, tensorboard

    studies = [options.study] if options.study else []
    runs = find_runs(options.results, options.state, studies)
    check_runs(runs, options.results, options.state, options.study)
    # It says what its own libraries will do one day, and that there is no TensorFlow.
    warnings.simplefilter("ignore")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory(prefix="otosynth-monitor-") as name:
        folder = Path(name)
        link_runs(runs, folder)
        with tensorboard(folder, options.host, options.port) as address:
            print(f"{len(runs)} training(s) at {address} (Ctrl-C ends it)", flush=True)
            # Ctrl-C is how it is meant to end.
            with suppress(KeyboardInterrupt):
                while True:
                    # Nobody tells of a training that begins, so the folders are looked at.
                    time.sleep(SECONDS_BETWEEN_LOOKS)
                    link_runs(find_runs(options.results, options.state, studies), folder)
    return 0
