"""What SQL can read, described column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa

from analytics.lake.schema import SCHEMA
from analytics.reports.header import Column

if TYPE_CHECKING:
    from collections.abc import Sequence


class Table(NamedTuple):
    """Something that SQL can read."""

    name: str
    description: str
    columns: Sequence[Column]


_DESCRIPTIONS: Final = {
    "log_id": "UUID of the log, as text.",
    "start_time": "When the call began.",
    "receive_time": "When the server accepted the log.",
    "end_time": "When the call ended; null where it is unknown.",
    "first_token_time": "When the first token arrived; null where it is unknown.",
    "latency_us": "How long the whole call took, in microseconds; null where it is unknown.",
    "time_to_first_token_us": "From start to the first token, in microseconds; null where it is unknown.",
    "input_token_count": "Tokens sent, cached ones included; null where they are unknown, never 0.",
    "output_token_count": "Tokens received, reasoning included; null where they are unknown.",
    "total_token_count": "Total as the provider counts it; null where it is unknown.",
    "cache_read_token_count": "The part of input tokens that came from the provider's cache.",
    "cache_write_token_count": "The part of input tokens that was written to the provider's cache.",
    "reasoning_token_count": "The part of output tokens that was spent on reasoning.",
    "cache_write_1h_token_count": "The part of cache writes that is kept for an hour.",
    "audio_input_token_count": "The part of input tokens that was audio.",
    "audio_output_token_count": "The part of output tokens that was audio.",
    "cost_nano_usd": "Cost, in billionths of a US dollar; null where price or usage is unknown, never 0.",
    "reported_cost_nano_usd": "Cost as the provider or a gateway reported it, likewise.",
    "http_status": "HTTP status of the provider's answer; null where it is unknown.",
    "retry_count": "How often the client had tried before; null where it is unknown.",
    "latency_bucket": "Bucket of latency_us in the sketches of rollups; null unless the call succeeded.",
    "ttft_bucket": "The same of time_to_first_token_us.",
    "streamed": "Whether the answer was streamed.",
    "provider": "Who served the call, such as openai.",
    "model": "The model that was asked for.",
    "operation": "Such as chat or embeddings.",
    "environment": "Such as production; empty where it is unknown.",
    "outcome": "success, error or cancelled.",
    "usage_source": "Where token counts come from: reported, estimated or missing.",
    "session_id": "The session.",
    "conversation_id": "The conversation; empty where there is none.",
    "user_id": "The application's user; empty where it is unknown.",
    "trace_id": "W3C trace id; empty where there is none.",
    "span_id": "W3C span id of the call.",
    "parent_span_id": "W3C span id of its caller.",
    "response_model": "The model that answered, as the provider names it.",
    "error_code": "Code of the error; empty without one.",
    "error_message": "Redacted text of the error.",
    "finish_reason": "Why the model stopped, in the provider's words.",
    "provider_request_id": "The provider's id of the request.",
    "provider_response_id": "The provider's id of the response.",
    "service_tier": "The provider's processing tier, such as batch; empty where it is unknown.",
    "server_address": "Host name of the provider's endpoint.",
    "source": "What made the log: an SDK, or an OTLP emitter.",
    "release": "Release of the application.",
    "price_version": "Which list of prices was asked; also where the cost is unknown.",
    "input_preview": "Redacted beginning of the prompt.",
    "output_preview": "Redacted beginning of the answer.",
    "metadata": "The application's own pairs: metadata['tenant'] is a value, or null.",
    "tags": "The application's own labels: list_contains(tags, 'beta').",
    "project_id": "The project, which is your own.",
    "date": "UTC day of start_time. A condition on it is the quickest.",
    "hour": "UTC hour of start_time, from 0 to 23.",
}

_WORDS: Final[dict[pa.DataType, str]] = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.bool_(): "BOOLEAN",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
    pa.map_(pa.string(), pa.string()): "MAP(VARCHAR, VARCHAR)",
    pa.list_(pa.string()): "VARCHAR[]",
}
_PARTITION: Final = {"project_id": "VARCHAR", "date": "DATE", "hour": "BIGINT"}

TABLES: Final = (
    Table(
        "logs",
        "A row for each call of an LLM that began in the time range.",
        tuple(
            Column(name, kind, _DESCRIPTIONS[name])
            for name, kind in ({field.name: _WORDS[field.type] for field in SCHEMA} | _PARTITION).items()
        ),
    ),
)
