"""The project's pages as tests read them: their links, anchors and blocks of code."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown.extensions.toc import slugify
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
# Their own words in a comment before a block say why the tests leave it alone, or what it shows.
NEEDS = "needs"  # what no test has, such as scans of your own
NOT_RUN = "not run by the tests:"
COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file it is (from ``title="..."``) and its text.

    ``comment`` is the HTML comment right before it, which a reader does not see.
    """

    page: str
    line: int
    language: str
    title: str
    text: str
    comment: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def tokens_of(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def blocks_of(page: Path) -> list[Block]:
    return [
        Block(
            page=name_of(page),
            line=token.map[0] + 1,
            language=(token.info.split() or [""])[0],
            title="".join(TITLE.findall(token.info)),
            text=token.content,
            comment="".join(COMMENT.findall(before.content)).strip()
            if before.type == "html_block"
            else "",
        )
        for before, token in pairwise([Token("", "", 0), *tokens_of(page)])
        if token.type == "fence"
    ]


def all_blocks(*languages: str) -> list[Block]:
    return [block for page in PAGES for block in blocks_of(page) if block.language in languages]


def links_of(page: Path) -> Iterator[str]:
    """Yield the targets of all links and pictures."""
    for token in tokens_of(page):
        for child in token.children or []:
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                yield str(target)


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as the site and the usual forges name them."""
    tokens = tokens_of(page)
    headings = [
        _text_of(inline) for opening, inline in pairwise(tokens) if opening.type == "heading_open"
    ]
    found: set[str] = set()
    for heading in headings:
        slug = slugify(heading, "-")
        numbered = (f"{slug}{suffix}" for suffix in ("", *(f"_{k}" for k in range(1, 99))))
        found.add(next(name for name in numbered if name not in found))
    return frozenset(found)


def _text_of(inline: Token) -> str:
    return "".join(child.content for child in inline.children or [])


def commands_of(block: Block) -> list[str]:
    """Return a shell block's commands: lines joined where a backslash or a quote goes on."""
    commands, begun = [], ""
    for line in block.text.replace("\\\n", " ").splitlines():
        begun += line
        try:
            words = shlex.split(begun, comments=True)
        except ValueError:  # a quote is still open
            begun += "\n"
            continue
        if words:
            commands.append(begun)
        begun = ""
    return commands
