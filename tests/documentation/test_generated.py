"""The generated pages say what the code does (the configuration's is tested with it)."""

import pytest
from pages import ROOT

from otosynth.cli import command_line
from otosynth.documentation import COMMANDS_PAGE, commands_page

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_reference_of_the_commands_is_up_to_date():
    page = (ROOT / COMMANDS_PAGE).read_text(encoding="utf-8")
    assert page == commands_page(command_line(), MAKEFILE), "run `make pages`"


@pytest.mark.parametrize(
    "row",
    [
        "| `WHAT` | a table or figure, such as table3 or fig7 |",
        "| `--agent AGENT` | needed: the organisation that ran the study |",
        "| `make test` | Sets up an environment and runs the tests. |",
    ],
)
def test_it_has_arguments_and_targets(row):
    assert row in commands_page(command_line(), MAKEFILE)


def test_every_argument_and_target_is_explained():
    page = commands_page(command_line(), MAKEFILE)
    assert not [line for line in page.splitlines() if line.endswith("|  |") or "None" in line]
