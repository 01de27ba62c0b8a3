"""The rule graph of a study, laid out from its records."""

from dataclasses import dataclass

import networkx

from otosynth.provenance.tree import RecordTree
from otosynth.reporting.traces import depths

BOX_W, BOX_H, GAP_X, GAP_Y = 168, 34, 14, 40
# How often rows are sorted anew by the places of their neighbours.
SWEEPS = 8


@dataclass(frozen=True)
class Box:
    """A rule with the number of its jobs, and the upper left corner of its box."""

    rule: str
    jobs: int
    x: float
    y: float


@dataclass(frozen=True)
class RuleGraph:
    """Boxes, lines from box to box (as paths of SVG), and the size of all.

    ``back`` are lines against the order: jobs of a rule that need a later rule's jobs, such as
    trainings with another block's chosen networks.
    """

    boxes: list[Box]
    lines: list[str]
    back: list[str]
    width: float
    height: float


def lay_out(tree: RecordTree) -> RuleGraph:
    """Lay out the rules of a study, each below those that it needs.

    Lines that others imply are left out.
    """
    graph = networkx.DiGraph()
    jobs: dict[str, int] = {}
    for job, record in tree.records.items():
        rule = record["rule"]
        jobs[rule] = jobs.get(rule, 0) + 1
        graph.add_node(rule)
        parents = {tree.records[parent]["rule"] for parent in tree.parents(job)}
        graph.add_edges_from((parent, rule) for parent in parents - {rule})
    back = _against_the_order(graph, tree)
    graph.remove_edges_from(back)
    graph = networkx.transitive_reduction(graph)
    rows = [sorted(row) for row in networkx.topological_generations(graph)]
    _untangle(rows, graph)
    width = max(map(len, rows), default=1) * (BOX_W + GAP_X) - GAP_X
    boxes = {}
    for number, row in enumerate(rows):
        left = (width - (len(row) * (BOX_W + GAP_X) - GAP_X)) / 2
        for place, rule in enumerate(row):
            x, y = left + place * (BOX_W + GAP_X), number * (BOX_H + GAP_Y)
            boxes[rule] = Box(rule, jobs[rule], x, y)
    lines = [_line(boxes[a], boxes[b]) for a, b in sorted(graph.edges)]
    height = len(rows) * (BOX_H + GAP_Y) - GAP_Y
    against = [_line(boxes[a], boxes[b]) for a, b in back]
    return RuleGraph(list(boxes.values()), lines, against, width, height)


def _against_the_order(graph: networkx.DiGraph, tree: RecordTree) -> list[tuple[str, str]]:
    """Return the edges that close a cycle of rules: those to the rule whose jobs come first."""
    first: dict[str, int] = {}
    for job, depth in depths(tree).items():
        rule = tree.records[job]["rule"]
        first[rule] = min(depth, first.get(rule, depth))
    cycles = networkx.strongly_connected_components(graph)
    of = {rule: number for number, cycle in enumerate(cycles) for rule in cycle}
    return sorted((a, b) for a, b in graph.edges if of[a] == of[b] and first[a] >= first[b])


def _untangle(rows: list[list[str]], graph: networkx.DiGraph) -> None:
    """Sort each row by the mean place of its neighbours (the barycentre), in place."""
    for sweep in range(SWEEPS):
        place = {rule: k - len(row) / 2 for row in rows for k, rule in enumerate(row)}
        neighbours = graph.predecessors if sweep % 2 == 0 else graph.successors

        means = {}
        for rule in graph:
            near = [place[other] for other in neighbours(rule)] or [place[rule]]
            means[rule] = sum(near) / len(near)
        for row in rows:
            row.sort(key=means.__getitem__)


def _line(a: Box, b: Box) -> str:
    x1, y1 = a.x + BOX_W / 2, a.y + BOX_H
    x2, y2 = b.x + BOX_W / 2, b.y
    bend = GAP_Y / 2
    return f"M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"
