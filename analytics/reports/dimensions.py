"""What the logs of a report can be grouped by: an allow-list of SQL that enters statements as text."""

from __future__ import annotations

from typing import Final

METADATA_KEY: Final = "metadata_key"
"""The parameter that says which value of metadata the dimension ``metadata`` is."""

DIMENSIONS: Final = {
    "all": "'all'",
    "provider": "provider",
    "model": "model",
    "response_model": "response_model",
    "operation": "operation",
    "environment": "environment",
    "release": "release",
    "user": "user_id",
    "session": "session_id",
    "conversation": "conversation_id",
    "outcome": "outcome",
    "error_code": "error_code",
    "finish_reason": "finish_reason",
    "http_status": "coalesce(CAST(http_status AS VARCHAR), '')",
    "service_tier": "service_tier",
    "server_address": "server_address",
    "source": "source",
    "streamed": "CASE WHEN streamed THEN 'streamed' ELSE 'whole' END",
    "usage_source": "usage_source",
    "price_version": "price_version",
    "date": "CAST(date AS VARCHAR)",
    "hour_of_day": "CAST(hour AS VARCHAR)",
    "metadata": f"coalesce(metadata[${METADATA_KEY}], '')",
}
"""SQL of a text, by name. What a log does not say is ''."""
