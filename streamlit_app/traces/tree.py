"""The tree of a trace: who called whom, what it sums up to, and which parts decided how long it took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamlit_app.traces.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MISSING = "missing"
"""Kind of a parent that others name and that never arrived."""


@dataclass(slots=True, eq=False)
class Node:
    """A span and what it called. The sums include the span itself."""

    span: Span
    children: list[Node] = field(default_factory=list)
    tokens: int | None = None
    cost_nano_usd: int | None = None
    is_critical: bool = False
    """Whether the trace would have ended sooner, had this part been shorter."""

    @property
    def is_missing(self) -> bool:
        """Whether the span never arrived, and stands here for the sake of its children."""
        return self.span.kind == MISSING


def build_tree(spans: Sequence[Span]) -> list[Node]:
    """Return the roots, in order of time. A parent that never arrived becomes a root of kind ``missing``.

    Every span is in the tree exactly once, also where spans name each other, or themselves, as parents.
    """
    nodes = {span.id: Node(span) for span in sorted(spans, key=lambda span: (span.start, -span.end))}
    missing: dict[str, list[Node]] = {}
    roots = []
    for node in nodes.values():
        parent_id = node.span.parent_id
        if not parent_id or _is_its_own_ancestor(node.span, nodes):
            roots.append(node)
        elif parent_id in nodes:
            nodes[parent_id].children.append(node)
        else:
            missing.setdefault(parent_id, []).append(node)
    roots += [_missing_parent(parent_id, children) for parent_id, children in missing.items()]
    roots.sort(key=lambda node: node.span.start)
    for node in reversed(list(walk(roots))):  # children before their parents
        _sum_up(node)
    _mark_critical(roots, max((node.span.end for node in walk(roots)), default=0.0))
    return roots


def walk(roots: Sequence[Node]) -> Iterator[Node]:
    """Return all nodes, each before its children. A trace may be a thousand calls deep: no recursion."""
    waiting = list(reversed(roots))
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.children)


def _is_its_own_ancestor(span: Span, nodes: dict[str, Node]) -> bool:
    seen: set[str] = set()
    parent_id = span.parent_id
    while parent_id in nodes and parent_id not in seen:
        if parent_id == span.id:
            return True
        seen.add(parent_id)
        parent_id = nodes[parent_id].span.parent_id
    return False


def _missing_parent(span_id: str, children: list[Node]) -> Node:
    start = min(node.span.start for node in children)
    end = max(node.span.end for node in children)
    return Node(Span(span_id, "", MISSING, "not received", start, end, has_end=True), children)


def _sum_up(node: Node) -> None:
    parts = [(node.span.tokens, node.span.cost_nano_usd)]
    parts += [(child.tokens, child.cost_nano_usd) for child in node.children]
    node.tokens = sum_known(tokens for tokens, _ in parts)
    node.cost_nano_usd = sum_known(cost for _, cost in parts)


def sum_known(values: Iterator[int | None]) -> int | None:
    """Return the sum of what is known; None if nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _mark_critical(roots: Sequence[Node], end: float) -> None:
    """Mark the critical path: from the end back, always the part that ended last before the one after it."""
    waiting = [(roots, end)]
    while waiting:
        children, until = waiting.pop()
        for node in sorted(children, key=lambda node: node.span.end, reverse=True):
            if node.span.end <= until:
                node.is_critical = True
                waiting.append((node.children, node.span.end))
                until = node.span.start
