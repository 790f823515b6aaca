"""Draws the diagrams of docs/images: draw_diagrams.py FOLDER. `make docs` calls it.

They are SVGs with no script and no font of their own, so that forges and the site show the same, without a
network. A diagram is a grid of boxes, and arrows between them.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import NamedTuple

CELL_W, CELL_H, BOX_W, BOX_H, MARGIN = 215, 115, 152, 62, 20
_STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1c2333; text-anchor: middle }
.small { font-size: 11px; fill: #596074 }
.label { font-size: 11px; fill: #3949ab }
.box { fill: #eef1fb; stroke: #7986cb }
.store { fill: #e8f5e9; stroke: #66a86b }
.outside { fill: #fafafa; stroke: #9e9e9e; stroke-dasharray: 4 3 }
.arrow { stroke: #3949ab; stroke-width: 1.5; fill: none; marker-end: url(#tip) }
"""
_ARROW_HEAD = (
    '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 10 5 0 10z" fill="#3949ab"/></marker></defs>'
)


class Box(NamedTuple):
    """A box in a column and a row, with a line in small letters below its name."""

    column: float
    row: float
    name: str
    below: str = ""
    kind: str = "box"


class Arrow(NamedTuple):
    """From one box to another, by their names, with a label at its middle."""

    start: str
    end: str
    label: str = ""


class Diagram(NamedTuple):
    """What a diagram shows, for those who cannot see it, and its parts."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


PRODUCT = Diagram(
    "Applications send logs to the server, which queues them; workers store them in Postgres and export "
    "Parquet files; the dashboard asks the server, which reads both.",
    (
        Box(1, 0, "Providers", "OpenAI, Anthropic, …", "outside"),
        Box(2, 0, "Collector", "OpenTelemetry", "outside"),
        Box(0, 1, "Application", "SDK: redacts, batches", "outside"),
        Box(1, 1, "server", "gRPC"),
        Box(2, 1, "Redis", "the queue, on disk", "store"),
        Box(3, 1, "worker", "redacts, prices, stores"),
        Box(4, 1, "lake", "Parquet files", "store"),
        Box(0, 2, "Browser", "", "outside"),
        Box(1, 2, "dashboard", "Streamlit"),
        Box(2, 2, "scheduler", "exports, retention"),
        Box(3, 2, "Postgres", "logs and rollups", "store"),
    ),
    (
        Arrow("Application", "server", "logs"),
        Arrow("server", "Redis", "batches"),
        Arrow("Redis", "worker"),
        Arrow("worker", "Postgres", "one transaction"),
        Arrow("worker", "lake", "hours"),
        Arrow("scheduler", "Redis", "jobs"),
        Arrow("server", "Providers", "chat"),
        Arrow("server", "Collector", "traces"),
        Arrow("Browser", "dashboard"),
        Arrow("dashboard", "server", "questions"),
    ),
)
LOG = Diagram(
    "A call is noted, redacted and batched in the application, checked and queued by the server, and "
    "stored with its rollups by a worker in one transaction.",
    (
        Box(0, 0, "Call", "noted on your thread", "outside"),
        Box(1, 0, "Background thread", "redacts, cuts, batches", "outside"),
        Box(2, 0, "Server", "checks each log"),
        Box(3, 0, "Queue", "flushed to disk", "store"),
        Box(3, 1, "Worker", "redacts again, prices"),
        Box(2, 1, "Transaction", "log, key, rollup delta", "store"),
        Box(1, 1, "Rollups", "minute, hour, 6 h, day", "store"),
        Box(2, 2, "Dead letters", "with reason, replayed", "store"),
    ),
    (
        Arrow("Call", "Background thread"),
        Arrow("Background thread", "Server", "batch"),
        Arrow("Server", "Queue"),
        Arrow("Queue", "Worker"),
        Arrow("Worker", "Transaction"),
        Arrow("Transaction", "Rollups", "merged"),
        Arrow("Worker", "Dead letters"),
    ),
)
SCALE = Diagram(
    "Several machines: clients reach any server through a proxy; servers and workers are many; Postgres, "
    "Redis and the bucket are shared.",
    (
        Box(0, 0.5, "Clients", "SDKs, dashboards", "outside"),
        Box(1, 0.5, "Proxy", "or gRPC balancing", "outside"),
        Box(2, 0, "server 1"),
        Box(2, 1, "server n"),
        Box(3, 0.5, "Redis", "one queue", "store"),
        Box(4, 0, "worker 1"),
        Box(4, 1, "worker n"),
        Box(5, 0, "Postgres", "", "store"),
        Box(5, 1, "Bucket", "Parquet files", "store"),
    ),
    (
        Arrow("Clients", "Proxy"),
        Arrow("Proxy", "server 1"),
        Arrow("Proxy", "server n"),
        Arrow("server 1", "Redis"),
        Arrow("server n", "Redis"),
        Arrow("Redis", "worker 1"),
        Arrow("Redis", "worker n"),
        Arrow("worker 1", "Postgres"),
        Arrow("worker n", "Postgres"),
        Arrow("worker n", "Bucket"),
    ),
)
DIAGRAMS = {"product.svg": PRODUCT, "path-of-a-log.svg": LOG, "several-machines.svg": SCALE}


def draw(diagram: Diagram) -> str:
    """Return a diagram as SVG."""
    boxes = {box.name: box for box in diagram.boxes}
    width = max(box.column for box in diagram.boxes) * CELL_W + BOX_W + 2 * MARGIN
    height = max(box.row for box in diagram.boxes) * CELL_H + BOX_H + 2 * MARGIN
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
            f"<title>{escape(diagram.title)}</title>",
            f"<style>\n{_STYLE}</style>",
            _ARROW_HEAD,
            f'<rect width="{width:g}" height="{height:g}" rx="8" fill="#fff"/>',
            *(_draw_arrow(boxes[arrow.start], boxes[arrow.end], arrow.label) for arrow in diagram.arrows),
            *map(_draw_box, diagram.boxes),
            "</svg>\n",
        )
    )


def _centre(box: Box) -> tuple[float, float]:
    return MARGIN + box.column * CELL_W + BOX_W / 2, MARGIN + box.row * CELL_H + BOX_H / 2


def _draw_box(box: Box) -> str:
    x, y = _centre(box)
    name_y = y - 3 if box.below else y + 5
    below = f'<text class="small" x="{x:g}" y="{y + 15:g}">{escape(box.below)}</text>' if box.below else ""
    corner = f'x="{x - BOX_W / 2:g}" y="{y - BOX_H / 2:g}"'
    return (
        f'<rect class="{box.kind}" {corner} width="{BOX_W}" height="{BOX_H}" rx="6"/>'
        f'<text x="{x:g}" y="{name_y:g}">{escape(box.name)}</text>{below}'
    )


def _draw_arrow(start: Box, end: Box, label: str) -> str:
    """Draw from edge to edge on the straight line between the centres."""
    (x1, y1), (x2, y2) = _centre(start), _centre(end)
    dx, dy = x2 - x1, y2 - y1
    cut = min(BOX_W / 2 / abs(dx) if dx else 1, BOX_H / 2 / abs(dy) if dy else 1)
    from_x, from_y, to_x, to_y = x1 + dx * cut, y1 + dy * cut, x2 - dx * cut, y2 - dy * cut
    middle_x, middle_y = (from_x + to_x) / 2, (from_y + to_y) / 2
    beside = f'x="{middle_x:g}" y="{middle_y - 6:g}"'
    if not dx:
        beside = f'x="{middle_x + 6:g}" y="{middle_y + 4:g}" style="text-anchor: start"'
    text = f'<text class="label" {beside}>{escape(label)}</text>' if label else ""
    return f'<path class="arrow" d="M{from_x:g} {from_y:g} {to_x:g} {to_y:g}"/>{text}'


def main(folder: str) -> None:
    """Write every diagram."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, diagram in DIAGRAMS.items():
        (Path(folder) / name).write_text(draw(diagram), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
