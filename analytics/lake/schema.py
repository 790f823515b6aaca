"""The columns of a Parquet file of the lake: those of logs, in types that every engine reads.

``project_id``, ``date`` and ``hour`` are folders (Hive layout) and no columns of the files. Ids are strings,
since Spark 4.3 refuses Parquet's UUID. Times are UTC microseconds; unknown numbers are null, texts ''.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from storage.columns import LAKE_COLUMNS

_TIME: Final = pa.timestamp("us", tz="UTC")
_BY_NAME: Final = {"metadata": pa.map_(pa.string(), pa.string()), "tags": pa.list_(pa.string())}
_BY_TYPE: Final = {
    "uuid": pa.string(),
    "timestamptz": _TIME,
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "smallint": pa.int32(),
    "boolean": pa.bool_(),
    "text": pa.string(),
}

SCHEMA: Final = pa.schema(
    pa.field(column.name, _BY_NAME.get(column.name) or _BY_TYPE[column.type]) for column in LAKE_COLUMNS
)
"""Order and types of every file's columns."""
MEANINGS: Final = {
    "log_id": "UUID of the log.",
    "start_time": "When the call began. Rows are in its order.",
    "receive_time": "When the server received the log.",
    "end_time": "When the call ended.",
    "first_token_time": "When the first token of a streamed answer came.",
    "latency_us": "How long the call took, by a monotonic clock, in microseconds.",
    "time_to_first_token_us": "How long the first token took, in microseconds.",
    "input_token_count": "Input tokens, cached ones included.",
    "output_token_count": "Output tokens, those of reasoning included.",
    "total_token_count": "Tokens in all, as the provider counts them.",
    "cache_read_token_count": "Input tokens that were read from the provider's cache.",
    "cache_write_token_count": "Input tokens that were written into the provider's cache.",
    "reasoning_token_count": "Output tokens of reasoning.",
    "cache_write_1h_token_count": "Of the cache writes, those kept for an hour.",
    "audio_input_token_count": "Of the input tokens, those of audio.",
    "audio_output_token_count": "Of the output tokens, those of audio.",
    "cost_nano_usd": "Cost in billionths of a US dollar; null where it is unknown, never 0.",
    "reported_cost_nano_usd": "Cost that the provider reported, in billionths of a US dollar.",
    "http_status": "HTTP status of the provider's answer.",
    "retry_count": "Attempts of the client before this one, 0 for the first.",
    "latency_bucket": "Sketch bucket b of a successful call's latency: at most (1.01 / 0.99)^b microseconds.",
    "ttft_bucket": "Likewise of its time to first token.",
    "streamed": "Whether the answer was streamed.",
    "provider": "Such as `openai`, lower case.",
    "model": "Model that was asked for.",
    "operation": "What the call was, in OpenTelemetry's words: `chat`, `embeddings`, `execute_tool`.",
    "environment": "Such as `production`.",
    "outcome": "`success`, `error` or `cancelled`.",
    "usage_source": "Whether token counts are `reported` by the provider, `estimated` or `missing`.",
    "session_id": "Session of the call.",
    "conversation_id": "Conversation of the call.",
    "user_id": "User of the application.",
    "trace_id": "W3C trace id, 32 hexadecimal digits.",
    "span_id": "W3C span id, 16 hexadecimal digits.",
    "parent_span_id": "Span id of the caller.",
    "response_model": "Model that answered.",
    "error_code": "Code of the error, such as `rate_limit`.",
    "error_message": "Message of the error, redacted.",
    "finish_reason": "Why the answer ended, such as `stop`.",
    "provider_request_id": "The provider's id of the request.",
    "provider_response_id": "The provider's id of the answer.",
    "service_tier": "The provider's tier, which decides the price, such as `batch`.",
    "server_address": "Host that was called.",
    "source": "What made the log: an SDK, or an OTLP emitter.",
    "release": "Release of the application.",
    "price_version": "Price list that was asked, also where the cost is unknown.",
    "input_preview": "Beginning of the input, redacted, at most 500 characters.",
    "output_preview": "Beginning of the output, likewise.",
    "metadata": "Pairs of the application's own, values redacted; null where there are none.",
    "tags": "Tags of the application's own; null where there are none.",
}
"""What each column means, and its unit. docs/parquet-schema.md is made of it (python -m analytics.lake)."""
PARTITIONS: Final = ("project_id", "date", "hour")
"""The folders, outermost first: ``project_id=P/date=YYYY-MM-DD/hour=HH/logs.parquet``."""
