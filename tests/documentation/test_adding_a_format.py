"""docs/adding-a-format.md, followed word for word in a copy of the project."""

import pytest
from following import Copy, copy_project
from pages import ROOT

PAGE = ROOT / "docs/adding-a-format.md"
NEW = {"src/otosynth/volumes/formats/json_volume.py", "tests/volumes/formats/test_json_volume.py"}


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Copy:
    """The project after the page's last step: every command ended as the page says."""
    copy = copy_project(tmp_path_factory.mktemp("format") / "otosynth")
    copy.follow(PAGE)
    return copy


def test_its_tests_ran(copy):
    output = copy.printed[".venv/bin/pytest --quiet tests/volumes/formats/test_json_volume.py"]
    assert "7 passed" in output


def test_the_new_file_alone_is_new(copy):
    """No line of the registry or of reading had to change."""
    for part in ("src/otosynth", "tests/volumes"):
        before, now = sources_in(ROOT / part), sources_in(copy.folder / part)
        changed = {f"{part}/{path}" for path, text in now.items() if before.get(path) != text}
        assert changed <= NEW


def sources_in(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.py")}
