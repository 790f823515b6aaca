"""AnalyticsService."""

from __future__ import annotations

from server.reads.logs import LogReads
from server.reads.metrics import MetricReads


class AnalyticsService(MetricReads, LogReads):
    """See analytics_service.proto."""
