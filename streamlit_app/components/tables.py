"""The dashboard's tables. A table shows text as it is, never as markdown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from streamlit_app import format as fmt
from streamlit_app.metrics import average_latency, first_token, p95_latency, success_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.analytics_service_pb2 import QueryBreakdownResponse
    from llm_observe.v1.log_pb2 import Log


def show_providers(breakdown: QueryBreakdownResponse) -> None:
    """Show one row per provider."""
    total = max(1, breakdown.total.request_count)
    rows = [
        {
            "Provider": row.group,
            "Requests": row.metrics.request_count,
            "Share": row.metrics.request_count / total,
            "Success": fmt.percent(success_rate(row.metrics)),
            "Average": fmt.duration(average_latency(row.metrics)),
            "p95": fmt.duration(p95_latency(row.metrics)),
            "First token p50": fmt.duration(first_token(row.metrics)),
            "Tokens": fmt.compact(row.metrics.total_token_count),
        }
        for row in breakdown.rows
    ]
    share = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    st.dataframe(rows, hide_index=True, column_config={"Share": share})


def show_errors(logs: Sequence[Log]) -> None:
    """Show one row per failed call."""
    now = datetime.now(UTC)
    rows = [
        {
            "When": fmt.ago(fmt.timestamp(log.start_time), now),
            "Provider": log.provider,
            "Model": log.model,
            "Code": log.error_code or fmt.NOTHING,
            "HTTP": str(log.http_status) if log.HasField("http_status") else fmt.NOTHING,
            "Message": log.error_message,
            "Log": log.log_id,
        }
        for log in logs
    ]
    st.dataframe(rows, hide_index=True)
