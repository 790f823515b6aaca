"""Rows packed for COPY, and their sums, in plain Python: what the compiled reader does, a second time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from storage.log_writes import COPY_COLUMNS, KEY_COLUMNS
from storage.logs import LogRow

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_FORMATS = {"http_status": "!i", "latency_bucket": "!h", "ttft_bucket": "!h", "streamed": "!?"}
_GROUP = ("project_id", "hour", "provider", "model", "operation", "environment")
_TOKENS = ("input", "output", "total", "cache_read", "cache_write", "reasoning")


class PackedRow:
    """A LogRow as an IncomingLog that is packed."""

    def __init__(self, row: LogRow) -> None:
        self._row = row
        self.log_id, self.project_id = row.log_id, row.project_id
        self.start_time, self.receive_time = row.start_time, row.receive_time
        self.packed_row = _pack(row, COPY_COLUMNS)
        self.packed_key = _pack(row, KEY_COLUMNS)

    def to_row(self) -> LogRow:
        return self._row


def add_up(logs: Sequence[PackedRow]) -> dict[str, list[Any]]:
    """Return add_rollups' parameters."""
    groups: dict[tuple[Any, ...], list[LogRow]] = {}
    for row in (log.to_row() for log in logs):
        key = tuple(_hour(row) if name == "hour" else getattr(row, name) for name in _GROUP)
        groups.setdefault(key, []).append(row)
    buckets = [
        found for place, rows in enumerate(groups.values(), 1) for found in _count_buckets(place, rows)
    ]
    names = ("bucket_places", "buckets", "bucket_latency_counts", "bucket_ttft_counts")
    sums = [sum_rows(rows) for rows in groups.values()]
    return {
        **{name: [key[place] for key in groups] for place, name in enumerate(_GROUP)},
        **{name: [one[name] for one in sums] for name in sum_rows(())},
        **{name: [bucket[place] for bucket in buckets] for place, name in enumerate(names)},
    }


def sum_rows(rows: Sequence[LogRow]) -> dict[str, int]:
    """Return what rows of one rollup add to it."""
    timed = [row.latency_us or 0 for row in rows if row.latency_bucket is not None]
    begun = [row.time_to_first_token_us or 0 for row in rows if row.ttft_bucket is not None]
    outcomes = [row.outcome for row in rows]
    return {
        "request_count": len(rows),
        **{f"{word}_count": outcomes.count(word) for word in ("success", "error", "cancelled")},
        "priced_count": sum(row.cost_nano_usd is not None for row in rows),
        "latency_count": len(timed),
        "ttft_count": len(begun),
        "latency_us_sum": sum(timed),
        "ttft_us_sum": sum(begun),
        **{
            f"{word}_token_sum": sum(getattr(row, f"{word}_token_count") or 0 for row in rows)
            for word in _TOKENS
        },
        "cost_nano_usd_sum": _sum(rows, "cost_nano_usd"),
    }


def _sum(rows: Sequence[LogRow], name: str) -> int:
    return sum(getattr(row, name) or 0 for row in rows)


def _count_buckets(place: int, rows: Sequence[LogRow]) -> list[tuple[int, int, int, int]]:
    latencies = [row.latency_bucket for row in rows]
    ttfts = [row.ttft_bucket for row in rows]
    found = {bucket for bucket in (*latencies, *ttfts) if bucket is not None}
    return [(place, bucket, latencies.count(bucket), ttfts.count(bucket)) for bucket in sorted(found)]


def _hour(row: LogRow) -> datetime:
    return row.start_time.replace(minute=0, second=0, microsecond=0)


def _pack(row: LogRow, names: Sequence[str]) -> bytes:
    values = [_hour(row) if name == "hour" else getattr(row, name) for name in names]
    fields = [_pack_field(name, value) for name, value in zip(names, values, strict=True)]
    return struct.pack("!h", len(names)) + b"".join(fields)


def _pack_field(name: str, value: Any) -> bytes:
    if value is None:
        return struct.pack("!i", -1)
    if name == "log_id":
        data: bytes = value.bytes
    elif isinstance(value, datetime):
        data = struct.pack("!q", (value - _EPOCH) // timedelta(microseconds=1))
    elif isinstance(value, str):
        data = (b"\1" if name in ("metadata", "tags") else b"") + value.encode()
    else:
        data = struct.pack(_FORMATS.get(name, "!q"), value)
    return struct.pack("!i", len(data)) + data
