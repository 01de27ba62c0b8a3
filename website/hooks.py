"""What the site has beyond the pages in docs/: the library's pages, linked files, MathML, graphs.

MkDocs calls the functions that begin with ``on_``. Nothing here imports otosynth.
"""

import base64
import html
import json
import os.path
import posixpath
import re
from pathlib import Path
from typing import Any

from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/otosynth"
# Where the site has files of the repository that are not in docs/.
SOURCE = "source"
PICTURES = (".png", ".svg", ".jpg", ".pdf")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".smk": "python", ".sh": "bash", ".toml": "toml"}

FENCE = re.compile(r"^( *)(```+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)(#[^)\s]*)?(?=[)\s])")
MATHS = re.compile(
    r'<(span|div) class="arithmatex">\s*(?:\\\((.*?)\\\)|\\\[(.*?)\\\])\s*</\1>', re.DOTALL
)
MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NODE = re.compile(r"^\s*(\w+)\[([^\]]+)\]", re.MULTILINE)
ARROW = re.compile(r"^\s*(\w+) --> (\w+)", re.MULTILINE)


# The library's pages


def modules() -> dict[str, str]:
    """Return the pages of the library: a module's or package's dotted name by its page."""
    names = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(PACKAGE.rglob("*.py"))
    ]
    return {f"reference/{name}.md": name for name in names if name != "otosynth"}


def summary_of(name: str) -> str:
    """Return the first line of a module's docstring."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = file.read_text(encoding="utf-8")
    return text[3:].split("\n", 1)[0].removesuffix('"""') if text.startswith('"""') else ""


def reference_page(name: str) -> str:
    """Return a module's page: what mkdocstrings makes of its docstrings."""
    return f"# {name.removeprefix('otosynth.')}\n\n`{name}`\n\n::: {name}\n"


def reference_index() -> str:
    """Return the list of all modules with their first lines."""
    rows = [
        f"| [{name.removeprefix('otosynth.')}]({posixpath.basename(uri)}) | {summary_of(name)} |"
        for uri, name in modules().items()
    ]
    head = (
        "# The library\n\nMade from the docstrings of `src/otosynth`. It knows nothing of "
        "Snakemake: everything here can be called from a notebook. Names that begin with an "
        "underscore are left out. [Architecture](../architecture.md) says how the parts fit.\n\n"
        "| module | what it is |\n|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


# The notebook, as a page


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return an executed notebook as Markdown, and its pictures by their file's name."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    parts, pictures = [], {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            text, png = shown_output(output)
            if text:
                parts.append(f"```text\n{text.rstrip()}\n```")
            if png:
                name = f"{path.stem}-{len(pictures) + 1}.png"
                pictures[name] = png
                parts.append(f"![What the lines above draw]({name})")
    parts.append(
        f'This page is <a href="{path.name}" download>the notebook</a> as it was executed.'
    )
    return "\n\n".join(parts) + "\n", pictures


def shown_output(output: dict[str, Any]) -> tuple[str, bytes]:
    """Return what a cell printed, or the picture that it showed."""
    data = output.get("data", {})
    if "image/png" in data:
        return "", base64.b64decode(data["image/png"])
    return "".join(output.get("text", data.get("text/plain", ""))), b""


# Files of the repository that are not in docs/


def place_of(file: Path) -> str | None:
    """Return where the site has a file or folder of the repository; None: not at all."""
    if file.is_relative_to(ROOT / "docs"):
        shown = file.with_suffix(".md") if file.suffix == ".ipynb" else file
        return shown.relative_to(ROOT / "docs").as_posix()
    if not file.is_file() or not file.is_relative_to(ROOT):
        return None
    name = file.relative_to(ROOT).as_posix()
    shown = file.suffix in (*PICTURES, ".md")
    return f"{SOURCE}/{name}" if shown else f"{SOURCE}/{name}.md"


def links_in(markdown: str) -> list[str]:
    """Return the paths of a page's relative links, those in code left out."""
    prose = CODE.sub("", FENCE.sub("", markdown))
    return [match.group(1) for match in LINK.finditer(prose)]


def linked_files() -> list[Path]:
    """Return the files outside docs/ that the pages link to, and those that these link to."""
    waiting = [*(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    found = {ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")}
    seen: set[Path] = set()
    while waiting:
        page = waiting.pop()
        seen.add(page)
        for link in links_in(page.read_text(encoding="utf-8")):
            target = Path(os.path.normpath(page.parent / link))
            if not target.is_relative_to(ROOT / "docs") and place_of(target):
                found.add(target)
                if target.suffix == ".md" and target not in seen:
                    waiting.append(target)
    return sorted(found)


def shown_as_page(file: Path) -> str:
    """Return a text file as a page: itself if it is Markdown, else as code."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        return text
    language = LANGUAGES.get(file.suffix, "text")
    return f"# {file.relative_to(ROOT).as_posix()}\n\n````{language}\n{text}\n````\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the library's pages and the files outside docs/ that pages link to."""
    pages = {uri: reference_page(name) for uri, name in modules().items()}
    pages["reference/index.md"] = reference_index()
    for file in linked_files():
        place = place_of(file)
        assert place is not None
        if file.suffix in PICTURES:
            files.append(File.generated(config, place, abs_src_path=str(file)))
        else:
            pages[place] = shown_as_page(file)
    for notebook in (ROOT / "docs").glob("*.ipynb"):
        pages[f"{notebook.stem}.md"], pictures = notebook_page(notebook)
        for name, png in pictures.items():
            files.append(File.generated(config, name, content=png))
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    return files


# What stands on a page


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to files outside docs/ to the site's copy, and draw graphs."""
    markdown = MERMAID.sub(lambda match: drawn(match.group(1)), markdown)
    uri = page.file.src_uri
    if uri.startswith("reference/"):
        return markdown
    outside = uri.startswith(f"{SOURCE}/")
    origin = ROOT / uri.removeprefix(f"{SOURCE}/") if outside else ROOT / "docs" / uri

    def lead(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(origin.parent / match.group(1)))
        place = place_of(target)
        if place is None:
            raise PluginError(f"{uri}: the site cannot show {match.group(1)}; link to a file.")
        return posixpath.relpath(place, posixpath.dirname(uri) or ".") + (match.group(2) or "")

    return _outside_code(markdown, lambda prose: LINK.sub(lead, prose))


def _outside_code(markdown: str, change) -> str:
    """Change a page's prose, and leave its blocks and spans of code as they are."""
    result, end = [], 0
    code = re.compile(f"{FENCE.pattern}|{CODE.pattern}", re.MULTILINE | re.DOTALL)
    for match in code.finditer(markdown):
        result += [change(markdown[end : match.start()]), match.group(0)]
        end = match.end()
    return "".join([*result, change(markdown[end:])])


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn equations into MathML, which browsers draw without a script; let tables scroll."""
    content = MATHS.sub(mathml, content)
    table = '<div class="scrolled" tabindex="0" role="region" aria-label="table"><table'
    return content.replace("<table", table).replace("</table>", "</table></div>")


def mathml(match: re.Match[str]) -> str:
    """Return one equation as MathML; on a line of its own it may scroll."""
    _, inline, display = match.groups()
    source = html.unescape(inline or display)
    equation = str(convert(source, display="inline" if inline else "block"))
    if "\\" in equation:  # latex2mathml shows what it does not know as it is
        raise PluginError(f"No MathML for this equation: {source}")
    return equation if inline else f'<div class="scrolled equation" tabindex="0">{equation}</div>'


# Graphs

LETTER = 7.2
HEIGHT = 26.0
MARGIN = 8.0


class _Box:
    """What grandalf asks of a node: its size, to which it adds the place."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.w, self.h = LETTER * len(text) + 16, HEIGHT
        self.xy = (0.0, 0.0)


def drawn(mermaid: str) -> str:
    """Return a flow chart (nodes ``a[text]``, arrows ``a --> b``) as SVG in the page's colours.

    Layers are Sugiyama's, as grandalf computes them. Arrows that a longer way implies are left out,
    and so is the node `all`, to which everything leads.
    """
    boxes = {name: _Box(text) for name, text in NODE.findall(mermaid) if text != "all"}
    found = {(a, b) for a, b in ARROW.findall(mermaid) if a in boxes and b in boxes}
    arrows = sorted(without_shortcuts(found))
    place(boxes, arrows)
    views = list(boxes.values())
    left = min(v.xy[0] - v.w / 2 for v in views) - MARGIN
    top = min(v.xy[1] - v.h / 2 for v in views) - MARGIN
    width = max(v.xy[0] + v.w / 2 for v in views) + MARGIN - left
    height = max(v.xy[1] + v.h / 2 for v in views) + MARGIN - top
    lines = [_arrow(boxes[a], boxes[b]) for a, b in arrows]
    head = (
        f'<svg viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" width="{width:.0f}" '
        'role="img" aria-label="Graph of the rules">'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>'
    )
    svg = head + "".join([*lines, *map(_node, views)]) + "</svg>"
    return f'<div class="scrolled graph" tabindex="0">{svg}</div>'


def place(boxes: dict[str, _Box], arrows: list[tuple[str, str]]) -> None:
    """Give the boxes their places, parts of the graph that nothing joins below each other."""
    vertices = {name: Vertex(box) for name, box in boxes.items()}
    for vertex in vertices.values():
        vertex.view = vertex.data
    graph = Graph(list(vertices.values()), [Edge(vertices[a], vertices[b]) for a, b in arrows])
    bottom = 0.0
    for part in sorted(graph.C, key=lambda part: -part.order()):
        layout = SugiyamaLayout(part)
        layout.xspace, layout.yspace = 10, 30
        layout.init_all()
        layout.draw()
        views = [vertex.view for vertex in part.sV]
        left = min(v.xy[0] - v.w / 2 for v in views)
        top = min(v.xy[1] - v.h / 2 for v in views)
        for view in views:
            view.xy = (view.xy[0] - left, view.xy[1] - top + bottom)
        bottom = max(v.xy[1] + v.h for v in views) + 10


def without_shortcuts(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return a graph's arrows without those that a longer way between the same nodes implies."""
    after: dict[str, set[str]] = {}
    for a, b in arrows:
        after.setdefault(a, set()).add(b)

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            new = after.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        return found

    beyond = {name: reached(name) for name in after}
    return {
        (a, b)
        for a, b in arrows
        if not any(b in beyond.get(between, ()) for between in after[a] - {b})
    }


def _arrow(a: _Box, b: _Box) -> str:
    (x1, y1), (x2, y2) = a.xy, b.xy
    # Arrows leave a box on the side that faces the other.
    y1, y2 = (y1 + a.h / 2, y2 - b.h / 2) if y2 > y1 else (y1 - a.h / 2, y2 + b.h / 2)
    bend = (y2 - y1) / 2
    path = f"M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"
    return f'<path class="edge" d="{path}" marker-end="url(#arrow)"/>'


def _node(box: _Box) -> str:
    x, y = box.xy
    return (
        f'<rect x="{x - box.w / 2:.0f}" y="{y - box.h / 2:.0f}" width="{box.w:.0f}" '
        f'height="{box.h:.0f}" rx="4"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}">{html.escape(box.text)}</text>'
    )
