"""The site of `make docs`: whole, readable from a file, and nothing in it from the network."""

import json
import os
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from pages import ROOT, blocks_of, name_of, tokens_of

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv-docs/ready").exists(), reason="needs `make .venv-docs/ready`"
)
# Elements by which a browser fetches something, and the attribute that says what.
FETCHED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}


class Elements(HTMLParser):
    """Collects what a page fetches, links to and can be linked at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = {key: value or "" for key, value in attributes}
        self.tags.add(tag)
        self.names.add(values.get("id", ""))
        if tag in FETCHED and FETCHED[tag] in values:
            self.fetched.append(values[FETCHED[tag]])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    process = subprocess.run(
        [ROOT / ".venv-docs/bin/mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr[-5000:]
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Elements]:
    return {path: Elements(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_nothing_is_fetched_from_the_network(site, pages):
    remote = {link for page in pages.values() for link in page.fetched if "//" in link}
    assert remote == set()
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?https?:", style.read_text(encoding="utf-8")), style
    # Material would fetch mermaid for graphs of that name; website/graphs.py makes tables of them.
    assert not any('class="mermaid"' in path.read_text(encoding="utf-8") for path in pages)


def test_every_link_and_file_exists(site, pages):
    missing = []
    for path, page in pages.items():
        if path.name == "404.html":  # its links start at the root of a server
            continue
        for link in [*page.links, *page.fetched]:
            if re.match(r"[a-z]+:", link):
                continue
            place, _, anchor = unquote(link).partition("#")
            target = (path.parent / place).resolve() if place else path
            if not target.exists() or (
                anchor and target in pages and anchor not in pages[target].names
            ):
                missing.append(f"{path.relative_to(site)}: {link}")
    assert missing == []


def counted(html: str) -> dict[str, int]:
    """Return how many list items, tables, rows and blocks of code a page's own part has."""
    article = html[html.index("<article") : html.index("</article>")]
    return {tag: len(re.findall(rf"<{tag}\b", article)) for tag in ("li", "table", "tr", "pre")}


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=name_of)
def test_lists_and_what_stands_in_them_are_the_same_on_the_site(site, page):
    """MkDocs wants four spaces within a list, and a blank line before an item after a block."""
    if "mermaid" in {block.language for block in blocks_of(page)}:
        # A page of a diagram: the site draws it within a table, which Markdown has not.
        pytest.skip("its graph is a table on the site")
    kinds = [token.type for token in tokens_of(page)]
    expected = {
        "li": kinds.count("list_item_open"),
        "table": kinds.count("table_open"),
        "tr": kinds.count("tr_open"),
        "pre": kinds.count("fence"),
    }
    assert counted((site / f"{page.stem}.html").read_text(encoding="utf-8")) == expected


def test_every_module_has_a_page_in_the_reference(site):
    for path in (ROOT / "src").rglob("*.py"):
        name = path.relative_to(ROOT / "src").as_posix().replace("__init__.py", "index.py")
        assert (site / "reference" / name).with_suffix(".html").is_file()
    page = (site / "reference/otosynth/registration/rigid.html").read_text(encoding="utf-8")
    assert "InputError" in page
    assert ":mod:" not in page
    assert ":func:" not in page
    # A package's page lists its modules with their first lines.
    package = (site / "reference/otosynth/index.html").read_text(encoding="utf-8")
    assert "Scores of a prediction on the micro-CT grid" in package


def test_equations_are_mathml(pages):
    tags = {path.name: page.tags for path, page in pages.items()}
    assert {"math", "mfrac", "munder"} <= tags["equations.html"]
    for path in pages:
        if path.name == "equations.html":
            assert "arithmatex" not in path.read_text(encoding="utf-8")


def test_every_rule_is_in_the_graph(site):
    page = (ROOT / "docs/rulegraph.md").read_text(encoding="utf-8")
    drawn = (site / "rulegraph.html").read_text(encoding="utf-8")
    names = re.findall(r"\[(\w+)\]", page)
    assert len(names) > 25
    for name in set(names) - {"all"}:
        assert f"<td><code>{name}</code></td>" in drawn


def test_the_search_knows_pages_and_works_from_a_file(site):
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))
    places = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert {"tutorial.html", "messages.html", "reference/otosynth/metrics.html"} <= places
    script = (site / "search/search_index.js").read_text(encoding="utf-8")
    assert script.startswith("var __index = {")


def test_the_notebook_is_a_page_with_its_pictures_and_a_download(site, pages):
    page = pages[site / "example.html"]
    assert {"example-1.png", "example-2.png"} <= set(page.fetched)
    assert (site / "example-1.png").read_bytes().startswith(b"\x89PNG")
    assert "example.ipynb" in page.links
    assert json.loads((site / "example.ipynb").read_text(encoding="utf-8"))["cells"]
    # Links to the notebook lead to the page.
    assert "example.html" in pages[site / "python.html"].links
