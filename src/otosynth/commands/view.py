"""`otosynth view`: a study's volumes side by side in the browser."""

import argparse
import webbrowser
from contextlib import suppress
from pathlib import Path

from otosynth.commands.arguments import Commands, add_command

TEXT = "show a finished study's volumes in the browser: scans, predictions, classes, errors"
EPILOG = """
CT, micro-CT and, of every method, the synthetic micro-CT, class map and errors of any ear stand
side by side, with linked cursors. The page is served to this machine alone (127.0.0.1), from this
study's volumes alone, and loads nothing from the network. Ctrl-C ends it.

Written: nothing.

On another machine: ssh -L 8710:127.0.0.1:8710 THERE, then there `otosynth view --port 8710
--no-browser`, and open http://127.0.0.1:8710/ here.

examples:
  otosynth view
  otosynth view --results results/mylab --port 8710 --no-browser
"""


def add_view(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "view", TEXT, EPILOG)
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results/phantom"),
        metavar="DIR",
        help="the study's folder (results/phantom)",
    )
    parser.add_argument("--port", type=int, default=0, help="(any that is free)")
    parser.add_argument("--no-browser", action="store_true", help="only say the address")
    parser.set_defaults(run=run_view)


def run_view(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    # Imported here, as in every command: SimpleITK takes long to import.
    from otosynth.provenance.places import Places
    from otosynth.viewing.server import StudyServer
    from otosynth.viewing.study import read_viewed_study

    study = read_viewed_study(Places(options.results))
    with StudyServer(study, options.port) as server:
        print(f"{study.name} (data: {study.label}) at {server.url} until Ctrl-C", flush=True)
        if not options.no_browser:
            webbrowser.open(server.url)
        # That is how it is meant to end.
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0
