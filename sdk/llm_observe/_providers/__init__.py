"""What differs between vendors: one module each, with the functions of :class:`Provider`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._call import Call


class Reader(Protocol):
    """What the taps need. Runs on the application's thread: note references, compute nothing."""

    def read_chunk(self, chunk: Any, call: Call) -> bool:
        """Take what a stream event tells; True when it carries nothing but usage."""

    def read_error(self, error: BaseException, call: Call) -> None:
        """Take code, HTTP status and request id from a failure."""


class Provider(Reader, Protocol):
    """The narrow waist of clients with one request method."""

    def describe(self, options: Any, *, stream: bool, sink: Callable[[Call], None]) -> Call | None:
        """Begin a Call for a request, or return None for a request that is not a model call."""

    def prepare(self, options: Any, *, request_stream_usage: bool) -> tuple[Any, bool]:
        """Return the options to send, and whether the usage chunk must be hidden from the application."""

    def read_response(self, response: Any, call: Call) -> None:
        """Take text, usage and reasons from a whole answer."""
