"""EventService: the live tail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_observe.v1.event_service_pb2 import WatchLogsRequest, WatchLogsResponse
from llm_observe.v1.event_service_pb2_grpc import EventServiceServicer

from server.reads.log_filter import LogMatcher
from server.rpc.auth import caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.reads.live_feed import LiveFeeds


class EventService(EventServiceServicer):
    """See event_service.proto."""

    def __init__(self, feeds: LiveFeeds) -> None:
        self._feeds = feeds

    async def WatchLogs(self, request: WatchLogsRequest, context: Any) -> AsyncIterator[WatchLogsResponse]:
        matcher = LogMatcher(request.filter)
        told = 0
        async with self._feeds.of(caller().project_id).subscribe() as subscriber:
            # An empty answer at once: from here on nothing is missed unsaid.
            yield WatchLogsResponse()
            while True:
                group = await subscriber.next()
                logs = [log for log in group.logs if matcher.matches(log)]
                if logs or subscriber.missed_count != told:
                    told = subscriber.missed_count
                    yield WatchLogsResponse(logs=logs, missed_count=told)
