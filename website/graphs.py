"""Mermaid's flow charts of the site as SVG, since Material would load mermaid from the network.

MkDocs calls the functions that begin with ``on_``.
"""

import html
import re

import networkx
from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NODE = re.compile(r"^\s*(\w+)\[([^\]]+)\]", re.MULTILINE)
ARROW = re.compile(r"^\s*(\w+) --> (\w+)", re.MULTILINE)
# In pixels: a letter's width, a node's height, the margin round the graph.
LETTER = 7.2
HEIGHT = 26.0
MARGIN = 8.0


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Draw a page's flow charts."""
    return MERMAID.sub(lambda match: drawn(match.group(1)), markdown)


class Box:
    """What grandalf asks of a node: its size, to which it adds the place."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.w, self.h = LETTER * len(text) + 16, HEIGHT
        self.xy = (0.0, 0.0)


def drawn(mermaid: str) -> str:
    """Return a flow chart (nodes ``a[text]``, arrows ``a --> b``) as SVG in the page's colours.

    Arrows that a longer way implies are left out, and so is the node `all`, to which everything
    leads.
    """
    boxes = {name: Box(text) for name, text in NODE.findall(mermaid) if text != "all"}
    found = [(a, b) for a, b in ARROW.findall(mermaid) if a in boxes and b in boxes]
    arrows = sorted(networkx.transitive_reduction(networkx.DiGraph(found)).edges)
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


def place(boxes: dict[str, Box], arrows: list[tuple[str, str]]) -> None:
    """Give the boxes their places (Sugiyama's layers), separate parts below each other."""
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


def _arrow(a: Box, b: Box) -> str:
    (x1, y1), (x2, y2) = a.xy, b.xy
    # Arrows leave a box on the side that faces the other.
    y1, y2 = (y1 + a.h / 2, y2 - b.h / 2) if y2 > y1 else (y1 - a.h / 2, y2 + b.h / 2)
    bend = (y2 - y1) / 2
    path = f"M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"
    return f'<path class="edge" d="{path}" marker-end="url(#arrow)"/>'


def _node(box: Box) -> str:
    x, y = box.xy
    return (
        f'<rect x="{x - box.w / 2:.0f}" y="{y - box.h / 2:.0f}" width="{box.w:.0f}" '
        f'height="{box.h:.0f}" rx="4"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}">{html.escape(box.text)}</text>'
    )
