"""The rows of a waterfall: what stands where, in shares of the whole width."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from streamlit_app import format as fmt
from streamlit_app.traces.spans import LLM, Span
from streamlit_app.traces.tree import Node, build_tree, sum_known, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamlit_app.traces.scale import Scale

Order = Literal["time", "duration"]
MAX_ROWS: Final = 500
LONG_GAP: Final = 0.1
"""Share of the whole time from which a gap is worth a row."""
_ID_CHARS: Final = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the waterfall: a span, a gap in which nothing ran, or the number of rows left out.

    ``left``, ``width`` and ``tick`` are shares of the whole width.
    """

    id: str
    kind: str
    name: str
    depth: int = 0
    left: float = 0.0
    width: float = 0.0
    tick: float | None = None
    time: str = ""
    tokens: str = ""
    cost: str = ""
    is_sum: bool = False
    error: str = ""
    outcome: str = "success"
    is_critical: bool = False
    has_children: bool = False
    log_id: str = ""
    about: str = ""
    """The row in words, for who does not see it."""

    def to_json(self) -> dict[str, object]:
        """Return the row as the component takes it."""
        return asdict(self)


class Head(NamedTuple):
    """What a trace sums up to. Durations are in seconds."""

    total_s: float
    llm_share: float | None
    """Share of the time in which at least one LLM call ran."""
    calls: int
    errors: int
    tokens: int | None
    cost_nano_usd: int | None
    unpriced: int


def to_head(spans: Sequence[Span]) -> Head:
    """Return the sums of a trace."""
    calls = [span for span in spans if span.log_id]
    total = _total_s(spans)
    busy = sum(end - start for start, end in merge([span for span in calls if span.kind == LLM]))
    return Head(
        total_s=total,
        llm_share=busy / total if total else None,
        calls=len(calls),
        errors=sum(span.outcome == "error" for span in spans),
        tokens=sum_known(span.tokens for span in calls),
        cost_nano_usd=sum_known(span.cost_nano_usd for span in calls),
        unpriced=sum(span.cost_nano_usd is None for span in calls),
    )


def to_rows(
    spans: Sequence[Span], scale: Scale, *, order: Order = "time", calls_only: bool = False
) -> list[Row]:
    """Return the rows: the tree by time, or all spans in one list by duration, longest first."""
    roots = build_tree(spans)
    if calls_only:
        shown = [(node, 0) for node in walk(roots) if node.span.kind == LLM]
    else:
        shown = list(_with_depth(roots))
    if order == "duration":
        shown = sorted(
            ((node, 0) for node, _ in shown if not node.is_missing),
            key=lambda pair: pair[0].span.start - pair[0].span.end,
        )
    rows = [_row(node, depth, scale, is_flat=calls_only or order == "duration") for node, depth in shown]
    if order == "time":
        rows = _with_gaps(rows, [node for node, _ in shown], spans, scale)
    return _folded(rows)


def merge(spans: Sequence[Span]) -> list[tuple[float, float]]:
    """Return the ranges of time in which at least one span ran."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted((span.start, span.end) for span in spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _total_s(spans: Sequence[Span]) -> float:
    return max(span.end for span in spans) - min(span.start for span in spans) if spans else 0.0


def _with_depth(roots: Sequence[Node]) -> Iterator[tuple[Node, int]]:
    waiting = [(node, 0) for node in reversed(roots)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(child, depth + 1) for child in reversed(node.children)]


def _row(node: Node, depth: int, scale: Scale, *, is_flat: bool) -> Row:
    span = node.span
    has_children = bool(node.children) and not is_flat
    tokens = node.tokens if has_children else span.tokens
    cost = node.cost_nano_usd if has_children else span.cost_nano_usd
    left = scale.place(span.start)
    row = Row(
        id=span.id,
        kind=span.kind,
        name=f"{span.name} \u00b7 {span.id[:_ID_CHARS]}" if node.is_missing else span.name,
        depth=depth,
        left=left,
        width=scale.place(span.end) - left,
        tick=None if span.first_token is None else scale.place(span.first_token),
        time=fmt.duration(span.end - span.start if span.has_end else None),
        tokens=fmt.compact(tokens) if tokens is not None else "",
        cost=fmt.money(cost) if cost is not None else "",
        is_sum=has_children,
        error=span.error_code or "error" if span.outcome == "error" else "",
        outcome=span.outcome,
        is_critical=node.is_critical and not node.is_missing,
        has_children=has_children,
        log_id=span.log_id,
    )
    return _described(row, span, scale)


def _described(row: Row, span: Span, scale: Scale) -> Row:
    first = span.first_token
    parts = [
        row.name,
        row.time,
        f"starts after {fmt.duration(span.start - scale.start)}",
        f"first token after {fmt.duration(first - span.start)}" if first is not None else "",
        f"{row.tokens} tokens" if row.tokens else "",
        row.cost,
        f"failed: {row.error}" if row.error else "",
        "cancelled" if row.outcome == "cancelled" else "",
        "on the critical path" if row.is_critical else "",
    ]
    return Row(**{**asdict(row), "about": ", ".join(part for part in parts if part)})


def _with_gaps(rows: list[Row], nodes: Sequence[Node], spans: Sequence[Span], scale: Scale) -> list[Row]:
    """Put a row where nothing ran for long, before the first of the rows that began afterwards."""
    result, gaps = [], list(_gaps(merge(spans), _total_s(spans)))
    for row, node in zip(rows, nodes, strict=True):
        while gaps and node.span.start >= gaps[0][1]:
            result.append(_gap_row(*gaps.pop(0), row.depth, scale))
        result.append(row)
    return result


def _gaps(busy: Sequence[tuple[float, float]], total_s: float) -> Iterator[tuple[float, float]]:
    for (_, end), (start, _) in pairwise(busy):
        if start - end > LONG_GAP * total_s:
            yield end, start


def _gap_row(start: float, end: float, depth: int, scale: Scale) -> Row:
    words = f"waiting {fmt.duration(end - start)}"
    left = scale.place(start)
    return Row(
        id=f"gap {start}", kind="gap", name=words, depth=depth, left=left, width=scale.place(end) - left,
        about=f"{words}: nothing that was recorded ran",
    )  # fmt: skip


def _folded(rows: list[Row]) -> list[Row]:
    if len(rows) <= MAX_ROWS:
        return rows
    left_out = f"{fmt.exact(len(rows) - MAX_ROWS)} more"
    return [*rows[:MAX_ROWS], Row(id="more", kind="more", name=left_out, about=f"{left_out} are not shown")]
