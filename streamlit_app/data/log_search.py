"""A page of logs that is searched for step by step: where few match, the server answers before it is full."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from streamlit_app import clock
from streamlit_app.data import analytics
from streamlit_app.data.connection import ServerError

if TYPE_CHECKING:
    from datetime import datetime

    from llm_observe.v1 import analytics_service_pb2 as pb

PAGE_SIZE: Final = 50
MAX_SEARCH_S: Final = 20.0
"""After so long a visitor is asked whether to go on, in seconds."""


@dataclass(slots=True)
class LogSearch:
    """What a page has so far, and what leads on from it."""

    query: analytics.Query
    read_time: datetime
    """When the page was read that its token leads on from; the window ends then."""
    listed: pb.ListLogsResponse
    """The logs that were found, newest first; its searched_time says how far back."""
    begin_time: datetime = field(default_factory=clock.now)
    step_count: int = 1
    spent_s: float = 0.0
    is_stopped: bool = False
    error: ServerError | None = None
    """Why it stopped, if the server said so."""

    @classmethod
    def begin(cls, query: analytics.Query, page_token: str, read_time: datetime) -> LogSearch:
        """Search for a page; most end with this step.

        Raises:
            ServerError: See data.connection.
        """
        return cls(query, read_time, analytics.list_logs(query, PAGE_SIZE, page_token))

    @property
    def is_whole(self) -> bool:
        """Whether the page is full, or nothing is left to search."""
        return not self.listed.next_page_token or len(self.listed.logs) >= PAGE_SIZE

    @property
    def is_running(self) -> bool:
        """Whether the next step is due."""
        return not self.is_whole and not self.is_stopped

    def step(self) -> None:
        """Search on for less than half a second."""
        began, before = time.monotonic(), self.listed
        try:
            answer = analytics.list_logs(
                self.query, PAGE_SIZE - len(before.logs), before.next_page_token, analytics.STEP_S
            )
        except ServerError as error:
            self.error, self.is_stopped = error, True
            return
        has_come_further = _nanoseconds(answer) < _nanoseconds(before) or not answer.next_page_token
        before.logs.extend(answer.logs)
        before.next_page_token = answer.next_page_token
        before.searched_time.CopyFrom(answer.searched_time)
        self.step_count += 1
        self.spent_s += time.monotonic() - began
        self.is_stopped = self.spent_s >= MAX_SEARCH_S or not has_come_further

    def stop(self) -> None:
        """Search no further, until told to."""
        self.is_stopped = True

    def go_on(self) -> None:
        """Search on, as long again."""
        self.is_stopped, self.error, self.spent_s = False, None, 0.0


def _nanoseconds(listed: pb.ListLogsResponse) -> int:
    return listed.searched_time.ToNanoseconds()
