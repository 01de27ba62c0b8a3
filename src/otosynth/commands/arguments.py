"""Arguments that several commands have."""

import argparse
from pathlib import Path


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
