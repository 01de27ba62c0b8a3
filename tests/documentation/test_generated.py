"""The generated pages say what the code does (the configuration's is tested with it)."""

import re

import pytest
from pages import ROOT

from otosynth.cli import EXIT_STATUSES, command_line
from otosynth.documentation import COMMANDS_PAGE, commands_page

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_reference_of_the_commands_is_up_to_date():
    page = (ROOT / COMMANDS_PAGE).read_text(encoding="utf-8")
    assert page == commands_page(command_line(), EXIT_STATUSES, MAKEFILE), "run `make pages`"


@pytest.mark.parametrize(
    "row",
    [
        "| `WHAT` | a table or figure, such as table3 or fig7 |",
        "| `--agent AGENT` | needed: the organisation that ran the study |",
        "| `make test` | Sets up an environment and runs the tests. |",
        "| 130 | stopped by Ctrl-C; `view` and `monitor`",
        "| `--side SIDE` | of the ear (right): left, right |",
        "otosynth audit replay tables/table3.csv",
    ],
)
def test_it_has_arguments_and_targets(row):
    assert row in commands_page(command_line(), EXIT_STATUSES, MAKEFILE)


def test_every_argument_and_target_is_explained():
    page = commands_page(command_line(), EXIT_STATUSES, MAKEFILE)
    assert not [line for line in page.splitlines() if line.endswith("|  |") or "None" in line]


def test_every_command_has_a_section_with_examples_and_says_what_it_writes():
    page = commands_page(command_line(), EXIT_STATUSES, MAKEFILE)
    sections = {part.partition("\n")[0]: part for part in page.split("\n## ")}
    commands = [name for name in sections if name.startswith("otosynth ")]
    assert len(commands) >= 13
    for name in commands:
        assert f"\n{name}" in sections[name].partition("```bash")[2], name
        assert re.search(r"\bWritten\b", sections[name]), name


def test_angle_brackets_are_no_html():
    page = commands_page(command_line(), EXIT_STATUSES, MAKEFILE)
    assert "folder (&lt;CT's name>-otosynth)" in page
