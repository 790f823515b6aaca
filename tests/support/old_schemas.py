"""Writes logs into the schema of any earlier release, as its worker did: with its columns and rollups."""

from __future__ import annotations

from typing import Final

import asyncpg

from storage.columns import PACKED_COUNTS, ROLLUP_SUMS

_START: Final = "now() - n % 40 * interval '57 minutes'"
_SUCCEEDED: Final = "n % 3 = 0"
_VALUES: Final = {
    "log_id": "uuidv7()",
    "start_time": _START,
    "receive_time": "now()",
    "hour": f"date_trunc('hour', {_START}, 'UTC')",
    "minute": f"date_trunc('minute', {_START}, 'UTC')",
    "project_id": "'default'",
    "provider": "'p'",
    "model": "'m' || n % 2",
    "operation": "'chat'",
    "outcome": "(ARRAY['success', 'error', 'cancelled'])[1 + n % 3]",
    "error_code": "CASE n % 3 WHEN 1 THEN 'timeout' || n % 2 ELSE '' END",
    "usage_source": "'reported'",
    "session_id": "'s'",
    "user_id": "'u' || n % 5",
    "latency_us": f"CASE WHEN {_SUCCEEDED} THEN 1000 * n END",
    "latency_bucket": f"CASE WHEN {_SUCCEEDED} THEN 300 + n % 7 END",
    "time_to_first_token_us": f"CASE WHEN {_SUCCEEDED} THEN 10 * n END",
    "ttft_bucket": f"CASE WHEN {_SUCCEEDED} THEN 100 + n % 7 END",
    "input_token_count": "n",
    "output_token_count": "NULLIF(n % 4, 0)",
    "cache_write_1h_token_count": "n % 2",
    "cost_nano_usd": "NULLIF(n % 5, 0)",
}
_DEFAULTS: Final = {"text": "''", "boolean": "false"}
_KEY: Final = ("project_id", "provider", "model", "operation", "environment")

_HOURLY: Final = """
, counted AS (
    INSERT INTO hourly_rollups AS r ({key}, {sums}) SELECT {key}, {values} FROM written GROUP BY {key}
    ON CONFLICT ({key}) DO UPDATE SET {added}
    RETURNING {key}, rollup_id
)
INSERT INTO hourly_sketches AS s (rollup_id, bucket, latency_count, ttft_count)
SELECT rollup_id, bucket, sum(latency), sum(ttft)
FROM (
    SELECT {key}, latency_bucket AS bucket, 1 AS latency, 0 AS ttft FROM written
    WHERE latency_bucket IS NOT NULL
    UNION ALL SELECT {key}, ttft_bucket, 0, 1 FROM written WHERE ttft_bucket IS NOT NULL
) AS bucketed JOIN counted USING ({key})
GROUP BY 1, 2
ON CONFLICT (rollup_id, bucket) DO UPDATE
SET latency_count = s.latency_count + excluded.latency_count, ttft_count = s.ttft_count + excluded.ttft_count
"""
_DELTAS: Final = """
INSERT INTO rollup_deltas ({key}, {sums}, {packed_names})
SELECT {key}, {values}, {packed} FROM (SELECT *, 1 AS sign FROM written) AS contributions GROUP BY {key}
"""


async def make_writer(connection: asyncpg.Connection) -> str:
    """Return the statement by which a worker of this schema's release stores ``$1`` logs and counts them."""
    columns = await _columns(connection, "logs")
    table = "hourly_rollups" if await _columns(connection, "hourly_rollups") else "rollup_deltas"
    known = await _columns(connection, table)
    sums = [each for each in ROLLUP_SUMS if each.name in known]
    values = ", ".join(_VALUES.get(name) or _DEFAULTS.get(kind, "NULL") for name, kind in columns.items())
    parts = {
        "key": ", ".join((*_KEY, "hour" if table == "hourly_rollups" else "minute")),
        "sums": ", ".join(each.name for each in sums),
        "values": ", ".join(
            f"coalesce(sum({each.value}) FILTER (WHERE {each.condition}), 0)" for each in sums
        ),
        "added": ", ".join(f"{each.name} = r.{each.name} + excluded.{each.name}" for each in sums),
        "packed_names": ", ".join(each.name for each in PACKED_COUNTS),
        "packed": ", ".join(
            f"coalesce(string_agg({each.packed}, '') FILTER (WHERE {each.known}), '')"
            for each in PACKED_COUNTS
        ),
    }
    counting = _HOURLY if table == "hourly_rollups" else _DELTAS
    return f"""
        WITH written AS (
            INSERT INTO logs ({", ".join(columns)}) SELECT {values} FROM generate_series(1, $1::integer) AS n
            RETURNING *
        ),
        keys AS (
            INSERT INTO log_keys (log_id, project_id, start_time, receive_time)
            SELECT log_id, project_id, start_time, receive_time FROM written
        )
        {counting.format(**parts)}
    """


async def _columns(connection: asyncpg.Connection, table: str) -> dict[str, str]:
    rows = await connection.fetch(
        "SELECT column_name AS name, data_type AS type FROM information_schema.columns"
        " WHERE table_name = $1 AND is_identity = 'NO' ORDER BY ordinal_position",
        table,
    )
    return {row["name"]: row["type"] for row in rows}
