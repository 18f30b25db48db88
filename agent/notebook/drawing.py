"""A graph as a picture, drawn here: no network, no browser, no program to install."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 120, 36, 40, 48, 20
_CHARACTER = 8


@dataclass(frozen=True, slots=True)
class Edge:
    """From one node to another; a choice is made where it is conditional."""

    source: str
    target: str
    conditional: bool


class Picture:
    """A LangGraph graph, drawn from its nodes and edges.

    Args:
        graph: A compiled graph.
    """

    def __init__(self, graph: Any) -> None:
        drawn = graph.get_graph()
        self.nodes: list[str] = list(drawn.nodes)
        self.edges = [Edge(edge.source, edge.target, bool(edge.conditional)) for edge in drawn.edges]

    def __repr__(self) -> str:
        return "\n".join(f"{e.source} {'- - ' if e.conditional else '---'}> {e.target}" for e in self.edges)

    def _repr_svg_(self) -> str:
        return svg_of(self.nodes, self.edges)


def svg_of(nodes: list[str], edges: Iterable[Edge]) -> str:
    """Draw nodes in layers, each below what leads to it; what leads back is drawn around on the right."""
    edges = list(edges)
    layers = _layers(nodes, edges)
    rows: list[list[str]] = [[] for _ in range(max(layers.values()) + 1)]
    for node in nodes:
        rows[layers[node]].append(node)
    wide = max(_WIDTH, *(_CHARACTER * len(node) + 2 * _CHARACTER for node in nodes))
    width = max(len(row) for row in rows) * (wide + _GAP_X) + _GAP_X + 2 * _MARGIN
    height = len(rows) * (_HEIGHT + _GAP_Y) - _GAP_Y + 2 * _MARGIN
    places = {
        node: (width / 2 + (at - (len(row) - 1) / 2) * (wide + _GAP_X), _MARGIN + _HEIGHT / 2 + y * (_HEIGHT + _GAP_Y))
        for y, row in enumerate(rows)
        for at, node in enumerate(row)
    }
    drawn = [
        *(_edge(places[e.source], places[e.target], wide, layers[e.target] - layers[e.source], e) for e in edges),
        *(_node(node, *place, wide) for node, place in places.items()),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" font-size="14">'
        '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="#555"/></marker></defs>'
        f"{''.join(drawn)}</svg>"
    )


def _layers(nodes: list[str], edges: list[Edge]) -> dict[str, int]:
    """Return how deep each node lies: below all that lead to it, but for those that lead back."""
    follows: dict[str, list[str]] = {node: [] for node in nodes}
    for edge in edges:
        follows[edge.source].append(edge.target)
    forward: list[tuple[str, str]] = []
    done: list[str] = []

    def walk(node: str, path: tuple[str, ...]) -> None:
        for target in follows[node]:
            if target in path:
                continue
            forward.append((node, target))
            if target not in done:
                walk(target, (*path, target))
        if node not in done:
            done.append(node)

    for node in nodes:
        if node not in done:
            walk(node, (node,))
    layers = dict.fromkeys(nodes, 0)
    for node in reversed(done):
        for source, target in forward:
            if source == node:
                layers[target] = max(layers[target], layers[node] + 1)
    return layers


def _node(name: str, x: float, y: float, wide: float) -> str:
    ends = name.startswith("__")
    fill = "#eef" if not ends else "#fff"
    return (
        f'<rect x="{x - wide / 2:g}" y="{y - _HEIGHT / 2:g}" width="{wide:g}" height="{_HEIGHT}" '
        f'rx="{_HEIGHT / 2 if ends else 6:g}" fill="{fill}" stroke="#555"/>'
        f'<text x="{x:g}" y="{y + 5:g}" text-anchor="middle" fill="#222">{escape(name.strip("_"))}</text>'
    )


def _edge(start: tuple[float, float], end: tuple[float, float], wide: float, down: int, edge: Edge) -> str:
    (x1, y1), (x2, y2) = start, end
    half = _HEIGHT / 2
    if down == 1:
        path = f"M{x1:g} {y1 + half:g}L{x2:g} {y2 - half:g}"
    else:
        # Past the nodes between: forward on the left, back on the right.
        side = -1 if down > 1 else 1
        out = side * (wide / 2 + _GAP_X)
        path = (
            f"M{x1 + side * wide / 2:g} {y1:g}C{x1 + out:g} {y1:g} {x2 + out:g} {y2:g} {x2 + side * wide / 2:g} {y2:g}"
        )
    dash = ' stroke-dasharray="5 4"' if edge.conditional else ""
    return f'<path d="{path}" fill="none" stroke="#555"{dash} marker-end="url(#arrow)"/>'
