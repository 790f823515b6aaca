"""EventService: the live tail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_observe.v1.event_service_pb2 import WatchLogsRequest, WatchLogsResponse
from llm_observe.v1.event_service_pb2_grpc import EventServiceServicer

from server.reads.log_filter import LogMatcher, parse_log_filter
from server.rpc.auth import caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.reads.live_feed import LiveFeeds
    from server.rpc.context import Context


class EventService(EventServiceServicer):
    """See event_service.proto."""

    def __init__(self, feeds: LiveFeeds) -> None:
        self._feeds = feeds

    async def WatchLogs(
        self, request: WatchLogsRequest, context: Context
    ) -> AsyncIterator[WatchLogsResponse]:
        matcher = LogMatcher(parse_log_filter(request.filter))
        reported_count = 0
        async with self._feeds.of(caller().project_id).subscribe() as subscriber:
            # An empty response at once: every log stored from now on is sent or counted as missed.
            yield WatchLogsResponse()
            while True:
                group = await subscriber.next()
                logs = [log for log in group.logs if matcher.matches(log)]
                if logs or subscriber.missed_count != reported_count:
                    reported_count = subscriber.missed_count
                    yield WatchLogsResponse(logs=logs, missed_count=reported_count)
