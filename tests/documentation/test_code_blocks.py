"""Blocks of code in the pages are what they claim to be: they parse, and short ones run."""

import copy
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from dvc.cli.parser import get_main_parser as dvc_parser
from pages import NEEDS, NOT_RUN, PAGES, ROOT, all_blocks, blocks_of, commands_of, name_of
from snakemake.cli import get_argument_parser as snakemake_parser
from snakemake.cli import parse_config

from otosynth.cli import command_line
from otosynth.configuration.study import load_study

LANGUAGES = {"bash", "json", "mermaid", "python", "text", "yaml"}
# Words in angle brackets stand for a name of the reader's own.
PLACEHOLDER = re.compile(r"<[a-z][^<>|]*>")
OVERLAY = "an overlay"
# An overlay that the pages tell the reader to write.
READERS_OWN = {"config/mylab.yaml"}
# Programs whose arguments no test looks at.
OTHERS = {
    "cd", "curl", "cut", "git", "grep", "md5sum", "mkdir", "pre-commit", "ruff", "sed", "srun",
    "ssh", "xargs",
}  # fmt: skip
SEPARATORS = {";", "&&", "|", ">", "(", ")"}
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def merged(base: dict, change: dict) -> dict:
    """Merge as Snakemake does: sections key by key, everything else replaced."""
    result = copy.deepcopy(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_what_it_is(page):
    unknown = [f"{block}: '{block.language}'" for block in blocks_of(page)
               if block.language not in LANGUAGES]  # fmt: skip
    assert unknown == []


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=str)
def test_yaml_is_a_valid_overlay_where_it_says_so(block):
    """Those that are files are dry-run by the tests that follow their pages."""
    content = yaml.safe_load(block.text)
    if block.comment == OVERLAY:
        load_study(merged(DEFAULT, content))


def test_the_pages_have_overlays():
    assert [block.comment for block in all_blocks("yaml")].count(OVERLAY) >= 3


@pytest.mark.parametrize("block", all_blocks("json"), ids=str)
def test_json_parses(block):
    json.loads(block.text)


@pytest.mark.parametrize("block", all_blocks("python"), ids=str)
def test_python_compiles(block):
    assert compile(block.text, str(block), "exec")


def session_of(page: Path) -> str:
    """Return a page's Python blocks as one session; those that are files run with their pages."""
    blocks = [block for block in blocks_of(page) if block.language == "python" and not block.title]
    return "\n".join(b.text for b in blocks if not b.comment.startswith((NEEDS, NOT_RUN)))


@pytest.mark.parametrize("page", [page for page in PAGES if session_of(page)], ids=name_of)
def test_python_runs_from_a_page_s_first_block_to_its_last(page):
    process = subprocess.run(
        [sys.executable, "-c", session_of(page)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("block", all_blocks("bash"), ids=str)
def test_shell_commands_are_understood(block):
    text = PLACEHOLDER.sub("PLACEHOLDER", block.text)
    process = subprocess.run(
        ["bash", "-n"], input=text, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    for command in commands_of(block):
        for words in simple_commands(PLACEHOLDER.sub("PLACEHOLDER", command)):
            problem = problem_with(words, refused=block.comment.startswith("refused:"))
            assert problem is None, f"{block}: {' '.join(words)}: {problem}"


def simple_commands(line: str) -> list[list[str]]:
    """Split a line at `;`, `|` and their kind, and leave out comments and assignments."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&>()")
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in lexer:
        if word in SEPARATORS:
            commands.append([])
        elif commands[-1] or not re.match(r"\w+=", word):
            commands[-1].append(word)
    return [words for words in commands if words]


def problem_with(words: list[str], *, refused: bool) -> str | None:
    """Return what is wrong with a command, as far as it can be told without running it."""
    program, *arguments = words
    name = program.removeprefix(".venv-docs/bin/").removeprefix(".venv/bin/")
    checks = {"snakemake": problem_with_snakemake, "otosynth": problem_with_otosynth,
              "make": problem_with_make, "dvc": problem_with_dvc, "python": problem_with_python,
              "python3.11": problem_with_python, "pytest": problem_with_pytest}  # fmt: skip
    if name in checks:
        return None if refused else checks[name](arguments)
    return None if name in OTHERS or is_file_of_words(words) else f"no known program '{name}'"


def is_file_of_words(words: list[str]) -> bool:
    """Tell whether this is where output goes (after `>`), not a command."""
    return len(words) == 1 and "/" in words[0]


@cache
def parsers():
    return {
        "snakemake": snakemake_parser(),
        "otosynth": command_line(),
        "dvc": dvc_parser(),
    }


def parsed(program: str, arguments: list[str]):
    """Return the parsed arguments, or what the parser complains of."""
    try:
        return parsers()[program].parse_args(arguments)
    except SystemExit:
        return "its arguments are not understood"


def problem_with_snakemake(arguments: list[str]) -> str | None:
    options = parsed("snakemake", arguments)
    if isinstance(options, str):
        return options
    config = DEFAULT
    for file in map(str, options.configfile or ()):
        if file in READERS_OWN or file in {block.title for block in all_blocks("yaml")}:
            continue
        if not (ROOT / file).is_file():
            return f"there is no {file}"
        config = merged(config, yaml.safe_load((ROOT / file).read_text(encoding="utf-8")))
    load_study(merged(config, parse_config(options.config or ())))
    return None


def problem_with_otosynth(arguments: list[str]) -> str | None:
    options = parsed("otosynth", arguments)
    return options if isinstance(options, str) else None


def problem_with_dvc(arguments: list[str]) -> str | None:
    options = parsed("dvc", arguments)
    return options if isinstance(options, str) else None


def problem_with_make(arguments: list[str]) -> str | None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([.\w/-]+):", makefile, re.MULTILINE))
    unknown = [word for word in arguments if "=" not in word and word not in targets]
    return f"no target {unknown}" if unknown else None


def problem_with_python(arguments: list[str]) -> str | None:
    if arguments[0] == "-m":
        return None if importlib.util.find_spec(arguments[1]) else f"no module {arguments[1]}"
    if arguments[0] == "-c":
        compile(arguments[1], "-c", "exec")
        return None
    titles = {block.title for block in all_blocks("python")}
    exists = (ROOT / arguments[0]).is_file() or arguments[0] in titles
    return None if exists else f"there is no {arguments[0]}"


def problem_with_pytest(arguments: list[str]) -> str | None:
    titles = {block.title for block in all_blocks("python")}
    paths = [Path(word.partition("::")[0]) for word in arguments if word.startswith("tests/")]
    missing = [str(p) for p in paths if not (ROOT / p).exists() and p.as_posix() not in titles]
    return f"there is no {missing}" if missing else None


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("snakemake --dry-rum", "not understood"),
        ("snakemake --configfile config/absent.yaml", "there is no config/absent.yaml"),
        ("otosynth audit verfy", "not understood"),
        ("make studdy", "no target"),
        (".venv/bin/pytest tests/test_absent.py", "there is no"),
        ("python -m otosynth.absent", "no module"),
        ("snekmake --cores 2", "no known program"),
    ],
)
def test_a_wrong_command_is_found(command, problem):
    (words,) = simple_commands(command)
    assert problem in problem_with(words, refused=False)
