"""Every link of the pages leads somewhere: to a file that git keeps, and to a heading in it."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from pages import PAGES, ROOT, anchors_of, links_of, name_of

SCHEME = re.compile(r"[a-z]+:")


@cache
def kept_by_git() -> frozenset[Path]:
    """Files that git tracks or would; none where the tests run outside a repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    return frozenset(ROOT / line for line in listed.splitlines())


def problem_with(page: Path, link: str) -> str | None:
    """Return what is wrong with a link, if anything."""
    if SCHEME.match(link):
        return None if link.startswith(("https://", "mailto:")) else "is not https"
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return "leads nowhere"
    tracked = kept_by_git()
    if tracked and target.is_file() and target not in tracked:
        return "leads to a file that git ignores"
    if anchor and anchor not in anchors_of(target):
        return f"names no heading; there are {', '.join(sorted(anchors_of(target)))}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    wrong = {link: problem_with(page, link) for link in links_of(page)}
    assert {link: problem for link, problem in wrong.items() if problem} == {}


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("absent.md", "leads nowhere"),
        ("../../outside.md", "leads nowhere"),
        ("howto.md#absent", "names no heading"),
        ("http://example.org", "not https"),
    ],
)
def test_a_wrong_link_is_found(link, problem):
    assert problem in problem_with(ROOT / "docs/architecture.md", link)


def test_every_page_can_be_reached_from_the_first():
    """From the README or the site's front page, by links alone."""
    waiting, seen = [ROOT / "README.md", ROOT / "docs/index.md"], set()
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        targets = (link.partition("#")[0] for link in links_of(page) if not SCHEME.match(link))
        found = ((page.parent / target).resolve() for target in targets if target)
        waiting += [target for target in found if target.suffix == ".md"]
    assert {name_of(page) for page in PAGES} - {name_of(page) for page in seen} == set()
