"""Bounds how many streams are open at once, so that calls that end soon always find room."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

import grpc
from grpc_status import rpc_status
from llm_observe.v1.error_reason_pb2 import ErrorReason

from server.rpc.context import peer_address
from server.rpc.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from server.rpc.context import Context

_RETRY_AFTER_S: Final = 5.0


class TooManyStreams(ApiError):
    """As many streams are open as may be."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = ErrorReason.ERROR_REASON_SERVER_BUSY
    retry_after_s = _RETRY_AFTER_S


class StreamLimits:
    """Counts the open streams of a server process.

    Args:
        per_caller: How many one caller may have open of one method.
        in_all: How many all callers may have open of all methods.
    """

    def __init__(self, *, per_caller: int, in_all: int) -> None:
        self._per_caller = per_caller
        self._in_all = in_all
        self._open: Counter[tuple[str, str]] = Counter()
        """By method and caller."""

    @contextmanager
    def opened(self, method: str, caller_name: str) -> Iterator[None]:
        """Count a stream while the context lasts.

        Raises:
            TooManyStreams: There is no room for it.
        """
        if self._open[method, caller_name] >= self._per_caller:
            raise TooManyStreams(
                f"you have {self._per_caller} streams of this method open, which is the limit: close some"
            )
        if self._open.total() >= self._in_all:
            raise TooManyStreams("the server has as many streams open as it may; retry later")
        self._open[method, caller_name] += 1
        try:
            yield
        finally:
            self._open[method, caller_name] -= 1
            if not self._open[method, caller_name]:
                del self._open[method, caller_name]


@asynccontextmanager
async def counted(streams: StreamLimits, method: str, context: Context) -> AsyncIterator[None]:
    """Count a stream of a service that is not ours while the context lasts; its callers have no key yet.

    Raises:
        AbortError: There is no room for it; the caller is told.
    """
    try:
        with streams.opened(method, peer_address(context)):
            yield
    except TooManyStreams as error:
        await context.abort_with_status(rpc_status.to_status(error.to_status()))
