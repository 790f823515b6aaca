"""Print docs/metrics.md, made from the table: python -m telemetry."""

from __future__ import annotations

import sys
from typing import Final

from telemetry.metrics import TABLE

_HEAD: Final = """# Metrics

Made from `telemetry/metrics.py` by `make docs`. [observability.md](observability.md) says how they are read.
Prometheus adds `_bucket`, `_sum` and `_count` to the name of a histogram; OTLP has no `_total`. No label
holds a text that a caller or a provider chose.
"""
_KINDS: Final = {"updown": "gauge"}


def render() -> str:
    """Return the page."""
    lines = [_HEAD]
    for process in dict.fromkeys(metric.process for metric in TABLE):
        lines += [f"## {process.capitalize()}", ""]
        lines += ["| metric | kind | unit | labels | meaning |", "|---|---|---|---|---|"]
        lines += [
            f"| `{metric.name}` | {_KINDS.get(metric.kind, metric.kind)} | {metric.unit} "
            f"| {', '.join(f'`{label}`' for label in metric.labels)} | {metric.help} |"
            for metric in TABLE
            if metric.process == process
        ]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(render())
