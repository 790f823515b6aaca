"""AnalyticsService."""

from __future__ import annotations

from server.reads.logs import LogReads
from server.reads.metrics import MetricReads
from server.reads.releases import ReleaseReads


class AnalyticsService(MetricReads, ReleaseReads, LogReads):
    """See analytics_service.proto."""
