"""Mermaid's flow charts of the site as tables: Material would load mermaid from the network.

MkDocs calls the functions that begin with ``on_``.
"""

import re

import networkx
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NODE = re.compile(r"^\s*(\w+)\[([^\]]+)\]", re.MULTILINE)
ARROW = re.compile(r"^\s*(\w+) --> (\w+)", re.MULTILINE)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Write a page's flow charts as tables."""
    return MERMAID.sub(lambda match: table(match.group(1)), markdown)


def table(mermaid: str) -> str:
    """Return a flow chart (nodes ``a[text]``, arrows ``a --> b``) as a table, first things first.

    Arrows that a longer way implies are left out, and so is the node `all`, to which everything
    leads.
    """
    names = dict(NODE.findall(mermaid))
    arrows = [(names[a], names[b]) for a, b in ARROW.findall(mermaid)]
    graph = networkx.transitive_reduction(networkx.DiGraph(arrows))
    graph.remove_node("all")
    rows = (
        f"| {_code([name])} | {_code(graph.predecessors(name))} | {_code(graph.successors(name))} |"
        for name in networkx.lexicographical_topological_sort(graph)
    )
    head = "Each rule with those right before and after it; what these need in turn is not said.\n"
    return "\n".join([head, "| rule | needs | is needed by |", "|---|---|---|", *rows])


def _code(names) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
