"""Limits of fields. The SDK cuts a Log's texts to them, the server checks them. Standard library only."""

from __future__ import annotations

from typing import Final

MAX_BATCH_LOGS: Final = 500
"""Most logs in an IngestLogsRequest."""
MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
"""Largest IngestLogsRequest, serialized."""
MAX_PREVIEW_CHARS: Final = 500
"""Longest preview, error message and metadata value after redaction, in characters."""
MAX_TEXT_CHARS: Final = {
    "input_preview": MAX_PREVIEW_CHARS,
    "output_preview": MAX_PREVIEW_CHARS,
    "error_message": MAX_PREVIEW_CHARS,
    "session_id": 200,
    "conversation_id": 200,
    "user_id": 200,
    "provider": 64,
    "model": 200,
    "response_model": 200,
    "operation": 64,
    "error_code": 100,
    "finish_reason": 100,
    "provider_request_id": 200,
    "provider_response_id": 200,
    "service_tier": 32,
    "server_address": 255,
    "source": 100,
    "environment": 64,
    "release": 100,
}
"""Every free-text field of a Log, with its limit in characters."""
REQUIRED_TEXTS: Final = ("session_id", "provider", "model")
"""Text fields that must not be empty."""
LOWER_CASE_TEXTS: Final = ("provider", "service_tier")
"""Text fields that have no upper-case letters."""
REDACTED_TEXTS: Final = ("input_preview", "output_preview", "error_message")
"""Text fields that a producer may send at any length: they are redacted first, then cut."""
MAX_TITLE_CHARS: Final = 200
"""Longest title of a conversation, in characters."""
MAX_CONTENT_CHARS: Final = 100_000
"""Longest message, or system prompt, of a chat turn, in characters."""

MAX_METADATA_PAIRS: Final = 50
MAX_METADATA_KEY_CHARS: Final = 64
MAX_METADATA_VALUE_CHARS: Final = MAX_PREVIEW_CHARS
MAX_TAGS: Final = 20
MAX_TAG_CHARS: Final = 64

TOKEN_COUNTS: Final = (
    "input_token_count",
    "output_token_count",
    "total_token_count",
    "cache_read_token_count",
    "cache_write_token_count",
    "reasoning_token_count",
    "cache_write_1h_token_count",
    "audio_input_token_count",
    "audio_output_token_count",
)
"""Every count of tokens, from 0 to MAX_COUNT."""
MAX_COUNT: Final = 2**63 - 1
MAX_RETRY_COUNT: Final = 2**31 - 1
HTTP_STATUSES: Final = range(100, 600)

MAX_LATENCY_S: Final = 7 * 24 * 3600
"""Longest latency and time to first token, in seconds."""
MAX_AHEAD_S: Final = 24 * 3600
"""How far in the future of the server's clock a call may start, in seconds."""

MAX_SPAN_TEXT_CHARS: Final = {
    "name": 200,
    "operation": 64,
    "scope": 100,
    "service_name": 200,
    "session_id": 200,
}
"""Every free-text field of a Span but its error text, with its limit in characters."""
MAX_SPAN_ATTRIBUTES: Final = 64
MAX_SPAN_KEY_CHARS: Final = 100
MAX_SPAN_ATTRIBUTES_CHARS: Final = 8_000
"""What all attributes of a span take together, keys included."""
