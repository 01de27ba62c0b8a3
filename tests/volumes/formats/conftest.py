"""What tests of the formats share."""

from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """Give a folder with nothing beside it: the rest of a split series is looked for there."""
    alone = tmp_path / "lab"
    alone.mkdir()
    return alone
