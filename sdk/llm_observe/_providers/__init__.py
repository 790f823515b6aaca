"""The differences between vendors: each has a module with the functions of :class:`Provider`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._call import Call
    from llm_observe._vendor import VendorObject


class Reader(Protocol):
    """Used by the taps on the application's thread: it only stores references and computes nothing."""

    def read_chunk(self, chunk: VendorObject, call: Call) -> bool:
        """Record a stream event; return whether it carries nothing but usage."""

    def read_error(self, error: BaseException, call: Call) -> None:
        """Record the code, HTTP status and request id of an error."""


class AnswerReader(Reader, Protocol):
    """Reads complete answers, too."""

    def read_response(self, response: VendorObject, call: Call) -> None:
        """Record text, usage and finish reason of a complete answer."""


class Provider(AnswerReader, Protocol):
    """A vendor whose clients have one request method."""

    def describe(self, options: VendorObject, *, stream: bool, sink: Callable[[Call], None]) -> Call | None:
        """Begin the Call of a request, or return None if the request does not call a model."""

    def prepare(
        self, options: VendorObject, call: Call, *, request_stream_usage: bool
    ) -> tuple[VendorObject, bool]:
        """Return the options to send, and whether to hide the usage chunk from the application."""
