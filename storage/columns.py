"""The columns of logs and what rollups sum of them. Declared here once: rows, COPY and SQL follow.

The .sql files expand these lists by ``-- each`` (see storage.sql).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, NamedTuple, Protocol, get_args, get_type_hints
from uuid import UUID

Integer = Annotated[int, "integer"]
SmallInt = Annotated[int, "smallint"]
Json = Annotated[str, "jsonb"]
"""JSON as text."""


class LogRow(NamedTuple):
    """One row of logs. Durations are microseconds; unknown numbers are None, unknown texts ''.

    A field's Postgres type follows from its annotation.
    """

    log_id: UUID
    start_time: datetime
    receive_time: datetime
    minute: datetime
    """The UTC minute of start_time, under which the rollups count the row."""
    end_time: datetime | None
    first_token_time: datetime | None
    latency_us: int | None
    time_to_first_token_us: int | None
    input_token_count: int | None
    output_token_count: int | None
    total_token_count: int | None
    cache_read_token_count: int | None
    cache_write_token_count: int | None
    reasoning_token_count: int | None
    cache_write_1h_token_count: int | None
    audio_input_token_count: int | None
    audio_output_token_count: int | None
    cost_nano_usd: int | None
    reported_cost_nano_usd: int | None
    http_status: Integer | None
    retry_count: Integer | None
    latency_bucket: SmallInt | None
    """Sketch bucket (analytics.sketch) of a successful call; likewise ttft_bucket."""
    ttft_bucket: SmallInt | None
    streamed: bool
    project_id: str
    provider: str
    model: str
    operation: str
    environment: str
    outcome: str
    usage_source: str
    session_id: str
    conversation_id: str
    user_id: str
    trace_id: str
    span_id: str
    parent_span_id: str
    response_model: str
    error_code: str
    error_message: str
    finish_reason: str
    provider_request_id: str
    provider_response_id: str
    service_tier: str
    server_address: str
    source: str
    release: str
    price_version: str
    input_preview: str
    output_preview: str
    metadata: Json | None
    tags: Json | None


class Column(NamedTuple):
    """A column and its Postgres type."""

    name: str
    type: str


_TYPES: Final = {UUID: "uuid", datetime: "timestamptz", int: "bigint", bool: "boolean", str: "text"}


def columns_of(row: type) -> tuple[Column, ...]:
    """Return the columns of a NamedTuple that is declared like LogRow."""
    hints = get_type_hints(row, include_extras=True)
    return tuple(Column(name, _type_of(hint)) for name, hint in hints.items())


def _type_of(hint: object) -> str:
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    declared = getattr(hint, "__metadata__", None) or getattr((kinds or [hint])[0], "__metadata__", None)
    return str(declared[0]) if declared else _TYPES[(kinds or [hint])[0]]


LOG_COLUMNS: Final = columns_of(LogRow)
KEY_COLUMNS: Final = tuple(
    column for column in LOG_COLUMNS if column.name in {"log_id", "project_id", "start_time", "receive_time"}
)
"""The columns of log_keys."""
TOKEN_COUNTS: Final = tuple(column.name for column in LOG_COLUMNS if column.name.endswith("_token_count"))


class LakeColumn(NamedTuple):
    """A column of the lake's files, and the SQL of its values as CSV has them."""

    name: str
    type: str
    value: str
    is_nullable: bool


LAKE_COLUMNS: Final = tuple(
    LakeColumn(
        column.name,
        column.type,
        f"{column.name} AT TIME ZONE 'UTC'" if column.type == "timestamptz" else column.name,
        type(None) in get_args(get_type_hints(LogRow)[column.name]),
    )
    for column in LOG_COLUMNS
    if column.name not in {"project_id", "minute"}  # folders say the first, and start_time the second
)
"""What the lake keeps of a log."""
ROLLUP_KEY: Final = tuple(
    column
    for name in ("project_id", "minute", "provider", "model", "operation", "environment")
    for column in LOG_COLUMNS
    if column.name == name
)
"""What the logs of one delta of the rollups have in common."""
ROLLUP_DIMENSIONS: Final = ROLLUP_KEY[2:]
"""What metrics can be grouped by."""


class RollupSum(NamedTuple):
    """A number of rollups: the sum of a column over its logs, or a count of them."""

    name: str
    column: str = ""
    """What is summed; '' counts logs."""
    known: str = ""
    """Only logs in which this column is not NULL."""
    outcome: str = ""
    """Only logs with this outcome."""

    @property
    def type(self) -> str:
        """Two token counts can exceed a bigint, so sums are numeric."""
        return "numeric" if self.column else "bigint"

    @property
    def value(self) -> str:
        """SQL of what a log adds."""
        return self.column or "1"

    @property
    def condition(self) -> str:
        """SQL of which logs add something."""
        if self.outcome:
            return f"outcome = '{self.outcome}'"
        return f"{self.known} IS NOT NULL" if self.known else "TRUE"

    def of(self, row: LogRow) -> int:
        """Return what a log adds."""
        if self.outcome and row.outcome != self.outcome:
            return 0
        if self.known and getattr(row, self.known) is None:
            return 0
        return int(getattr(row, self.column) or 0) if self.column else 1


ROLLUP_SUMS: Final = (
    RollupSum("request_count"),
    RollupSum("success_count", outcome="success"),
    RollupSum("error_count", outcome="error"),
    RollupSum("cancelled_count", outcome="cancelled"),
    RollupSum("priced_count", known="cost_nano_usd"),
    RollupSum("latency_count", known="latency_bucket"),
    RollupSum("ttft_count", known="ttft_bucket"),
    RollupSum("latency_us_sum", "latency_us", known="latency_bucket"),
    RollupSum("ttft_us_sum", "time_to_first_token_us", known="ttft_bucket"),
    *(RollupSum(name.replace("_count", "_sum"), name) for name in TOKEN_COUNTS),
    RollupSum("cost_nano_usd_sum", "cost_nano_usd"),
)
"""The numbers of rollups, in the order in which packed logs have them."""


class PackedCount(NamedTuple):
    """Counts of a rollup by bucket or by text, packed as bytes that add up by being joined."""

    name: str
    column: str
    """What the logs are counted by."""
    known: str
    """SQL of which logs are counted."""
    packed: str
    """SQL of a log's pair, by its sign."""
    type: str = "bytea"


PACKED_COUNTS: Final = (
    *(
        PackedCount(
            name,
            column,
            f"{column} IS NOT NULL",
            f"int2send({column}) || CASE WHEN sign > 0 THEN '\\x02'::bytea ELSE '\\x01'::bytea END",
        )
        for name, column in (("latency_sketch", "latency_bucket"), ("ttft_sketch", "ttft_bucket"))
    ),
    PackedCount("error_codes", "error_code", "outcome = 'error'", "pack_text(error_code, sign)"),
)
"""The packed columns of rollups (analytics.packed_counts)."""
DELTA_COLUMNS: Final = (
    *ROLLUP_KEY,
    *(Column(each.name, each.type) for each in ROLLUP_SUMS),
    *(Column(each.name, each.type) for each in PACKED_COUNTS),
)
"""The columns of rollup_deltas that are written."""
SKETCH_COUNTS: Final = tuple(each for each in PACKED_COUNTS if each.name.endswith("_sketch"))
"""Those that count buckets."""
_SUMMED: Final = {
    "outcome",
    *(used for each in ROLLUP_SUMS for used in (each.column, each.known)),
    *(each.column for each in PACKED_COUNTS),
}


class Named(Protocol):
    """What ``-- each`` can expand."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...


class ErasedColumn(NamedTuple):
    """A column that says who a user is or what they wrote, and what stands there once they are erased."""

    name: str
    text: str | None
    """None means NULL."""

    type: str = "text"

    @property
    def value(self) -> str:
        """The same in SQL."""
        return "NULL" if self.text is None else f"'{self.text}'"


ERASED_SESSION: Final = "erased"
"""The session of all logs of erased users: every log has one."""
ERASED_COLUMNS: Final = (
    ErasedColumn("session_id", ERASED_SESSION),
    *(
        ErasedColumn(name, "")
        for name in (
            "user_id", "conversation_id", "trace_id", "span_id", "parent_span_id", "provider_request_id",
            "provider_response_id", "error_message", "input_preview", "output_preview",
        )
    ),
    ErasedColumn("metadata", None),
    ErasedColumn("tags", None),
)  # fmt: skip
"""What an erasure takes from a log. Rollups count none of it, so that they stay exact."""
LISTS: Final[dict[str, tuple[Named, ...]]] = {
    "log_column": LOG_COLUMNS,
    "log_value": tuple(
        column for column in LOG_COLUMNS if column.name not in {"project_id", "start_time", "log_id"}
    ),
    "lake_column": LAKE_COLUMNS,
    "erased_column": ERASED_COLUMNS,
    "rollup_key": ROLLUP_KEY,
    "rollup_dimension": ROLLUP_DIMENSIONS,
    "rollup_sum": ROLLUP_SUMS,
    "packed_count": PACKED_COUNTS,
    "sketch": SKETCH_COUNTS,
    "token_count": tuple(column for column in LOG_COLUMNS if column.name in TOKEN_COUNTS),
    "summed_column": tuple(
        column for column in LOG_COLUMNS if column in ROLLUP_KEY or column.name in _SUMMED
    ),
}
"""Lists that SQL expands. log_value leaves out the primary key; rollups need summed_column of each log."""
