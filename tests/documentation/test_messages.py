"""docs/messages.md quotes messages as the source has them, and the commonest are among them."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import snakemake
from pages import ROOT, tokens_of

PAGE = ROOT / "docs/messages.md"
# What stands for a value, in the page and here in the source's messages.
VALUE = "…"
SOURCES = [
    *(ROOT / "src").rglob("*.py"),
    *(ROOT / "scripts").glob("*.py"),
    ROOT / "rules/common.smk",
]
SNAKEMAKE = sorted(Path(snakemake.__file__).parent.rglob("*.py"))


def strings_in(path: Path) -> list[str]:
    """Return all strings of a file but its docstrings, with their values as `…`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        if id(node) in docstrings:
            continue
        if isinstance(node, ast.JoinedStr):
            found.append("".join(
                str(part.value) if isinstance(part, ast.Constant) else VALUE
                for part in node.values
            ))  # fmt: skip
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


@cache
def messages(of_snakemake: bool) -> str:
    files = SNAKEMAKE if of_snakemake else SOURCES
    return "\0".join(text for path in files for text in strings_in(path))


def quoted() -> list[tuple[str, str]]:
    """Return (section, message): the first cell of each row, where it is code."""
    found, section = [], ""
    tokens = tokens_of(PAGE)
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            section = tokens[index + 1].content
        if token.type == "tr_open" and tokens[index + 1].type == "td_open":
            first = tokens[index + 2].children[0]
            assert first.type == "code_inline", tokens[index + 2].content
            found.append((section, first.content))
    return found


def is_said(message: str, texts: str) -> bool:
    """Tell whether some text holds the message; `…` stands for any words of one text."""
    parts = [re.escape(part) for part in message.strip(VALUE).split(VALUE)]
    return re.search(r"[^\0]*?".join(parts), texts) is not None


@pytest.mark.parametrize(("section", "message"), quoted())
def test_a_quoted_message_is_in_the_source(section, message):
    assert is_said(message, messages(of_snakemake=section.startswith("Snakemake")))


@pytest.mark.parametrize(
    "message", ["…: no such tables.", "specimen … is tested by no group; … the same"]
)
def test_a_message_that_nobody_says_is_found(message):
    assert not is_said(message, messages(of_snakemake=False))


def test_no_message_is_quoted_twice():
    """It would hide that one of them is gone."""
    texts = [message for _, message in quoted()]
    assert len(set(texts)) == len(texts) > 60
