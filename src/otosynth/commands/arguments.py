"""What several commands have in common."""

import argparse
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(commands: Commands, name: str, text: str, epilog: str) -> argparse.ArgumentParser:
    """Add a command, whose `--help` says what it does in a line and then, in `epilog`, all else."""
    return commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def positive(text: str) -> int:
    """Return a count; argparse refuses what raises ValueError."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add where the studies and their raw scans lie."""
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder of all studies (results)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        help="folder of the raw scans of a study of files; tells the training CTs' voxel size",
    )
