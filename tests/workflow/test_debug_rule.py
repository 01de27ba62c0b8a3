"""`tools/debug_rule.py`: a rule's script in one process, with the study's bytes."""

import filecmp
import subprocess
import sys
from pathlib import Path

import pytest
from workflow_copy import ENVIRONMENT, MINIATURE, ROOT, digests

TOOL = ROOT / "tools/debug_rule.py"
# A workflow of one rule, for what scripts of the study do not do: stop and fail.
ONE_RULE = """
rule make:
    output: "results/made.txt"
    log: "results/make.log"
    script: "make.py"

rule several:
    input: "results/{name}.txt"
    output: "results/{name}.copy"
    shell: "cp {input} {output}"
"""


def debug(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run the tool in a folder as a developer would, who types into pdb."""
    return subprocess.run(
        [sys.executable, str(TOOL), "--snakefile", "Snakefile", *arguments],
        cwd=folder, env=ENVIRONMENT, input=typed, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("result", "record"),
    [
        ("specimens/E1/classmap.nii", "make_class_map/E1"),
        ("training/A/multi_task/seed-1/checkpoints", "train/A-multi_task-1"),
    ],
)
def test_a_debugged_rule_gives_the_bytes_of_the_study_and_leaves_it_alone(
    finished, tmp_path, result, record
):
    before, states = digests(finished.results), sorted((finished.folder / ".state").rglob("*"))
    process = debug(
        finished.folder, str(finished.results / result), "--folder", str(tmp_path / "run"),
        "--configfile", MINIATURE,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    made = tmp_path / "run/results/miniature"
    record = f"records/{record}.json"
    files = [path.relative_to(made) for path in (made / result).rglob("*")] or [Path(result)]
    for file in (*files, record):
        assert filecmp.cmp(made / file, finished.results / file, shallow=False), file
    assert not (made / result).is_symlink()
    assert process.stdout.count(": the same bytes as results/miniature/") >= len(files)
    assert digests(finished.results) == before
    assert sorted((finished.folder / ".state").rglob("*")) == states


def test_missing_inputs_are_named_with_the_command_that_makes_them(finished):
    options = ["--configfile", MINIATURE, "--config", "study=another"]
    process = debug(finished.folder, "results/another/specimens/E1/classmap.nii", *options)
    assert process.returncode == 1
    assert process.stderr.endswith(
        "ERROR: 2 of the rule's inputs are missing. Make them first:\n"
        "snakemake --cores 1 results/another/specimens/E1/microct.nii "
        f"results/another/specimens/E1/mask.nii {' '.join(options)}\n"
    )
    assert not (finished.folder / "results/another").exists()


@pytest.fixture
def one_rule(tmp_path) -> Path:
    """A folder with a workflow of one rule, whose script the test writes."""
    (tmp_path / "Snakefile").write_text(ONE_RULE)
    (tmp_path / "make.py").write_text("raise AssertionError('not run')\n")
    return tmp_path


def run_one_rule(folder: Path, script: str, *options: str, typed: str):
    (folder / "make.py").write_text(script)
    options = ("--folder", "run", "--config", "results=results", *options)
    return debug(folder, "results/made.txt", *options, typed=typed)


def test_breakpoint_stops_in_the_script(one_rule):
    script = (
        "value = 1\nbreakpoint()\n"
        "with open(snakemake.output[0], 'w') as file:\n    file.write(f'{value}')\n"
    )
    process = run_one_rule(one_rule, script, typed="value = 2\ncontinue\n")
    assert process.returncode == 0, process.stderr
    assert (one_rule / "run/results/made.txt").read_text() == "2"
    assert not (one_rule / "results").exists()
    assert "results/made.txt does not exist" in process.stdout


def test_quitting_the_debugger_is_no_error_of_the_script(one_rule):
    process = run_one_rule(one_rule, "breakpoint()\nvalue = 1\n", typed="quit\n")
    assert process.returncode == 1
    assert "Traceback" not in process.stderr


def test_pdb_opens_where_an_exception_arises(one_rule):
    script = "def fail(value):\n    raise ValueError('no')\n\nfail(6 * 7)\n"
    process = run_one_rule(one_rule, script, "--pdb", typed="p value\nquit\n")
    assert process.returncode == 1
    assert "42" in process.stdout
    assert "ValueError: no" in process.stderr


def test_pdb_opens_where_bad_input_is_refused(one_rule):
    script = (
        "from otosynth.errors import InputError\nfrom otosynth.jobs import logged\n"
        "def refuse(value):\n    raise InputError('The CT is empty.')\n\n"
        "with logged(snakemake.log[0]):\n    refuse(6 * 7)\n"
    )
    process = run_one_rule(one_rule, script, "--pdb", typed="p value\nquit\n")
    assert process.returncode == 1
    assert "42" in process.stdout
    assert "ERROR: The CT is empty." in (one_rule / "run/results/make.log").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["results/other.txt"], "No rule makes results/other.txt."),
        (["results/made.copy"], "The rule several runs no Python script."),
        (["results/made.txt", "--configfile", "none.yaml"], "none.yaml is missing"),
        (["results/made.txt", "--config", "study"], "--config: Invalid config definition"),
        (["results/made.txt", "--folder", ".", "--config", "results=results"], ". exists."),
        (["results/made.txt", "--config", "results=../results"], "not within the working"),
    ],
)
def test_what_cannot_be_run_is_refused(one_rule, arguments, message):
    process = debug(one_rule, *arguments)
    assert process.returncode == 1
    assert "ERROR: " in process.stderr
    assert message in process.stderr
    assert "Traceback" not in process.stderr


def test_a_faulty_snakefile_is_refused(one_rule):
    (one_rule / "Snakefile").write_text("rule make:\n    output 'no colon'\n")
    process = debug(one_rule, "results/made.txt")
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
