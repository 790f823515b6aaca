"""Runs queries, each in a confined process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from analytics.sandbox.query import Part, Query
    from analytics.sandbox.settings import SandboxSettings


class QueryProcesses:
    """Up to ``LLM_OBSERVE_QUERY_PROCESSES`` queries at once, one at a time of each project.

    Use as an async context manager: ``async with QueryProcesses(settings) as processes``.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """End every process."""

    def run(self, query: Query) -> AsyncIterator[Part]:
        """Yield ``Columns``, then ``Chunk``s, then ``End``. Closing the iterator ends the query.

        Raises (while iterating):
            SqlRefused, SqlFailed, SqlLimitExceeded, SourceUnavailable, QueryProcessLost, QueryProcessesBusy.
        """
        raise NotImplementedError
