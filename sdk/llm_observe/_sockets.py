"""Records what passes over a WebSocket: one log for each response of the model.

The connection's class is replaced by one that reads a copy of each message, below the vendor's client.
"""

from __future__ import annotations

import inspect
import threading
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

from llm_observe._call import CANCELLED, SUCCESS, Call
from llm_observe._guard import attempt
from llm_observe._stand_in import observe
from llm_observe._stream_ends import StreamFinalizer, fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._providers import Reader
    from llm_observe._vendor import VendorClass, VendorObject

_CONVERSATION: Final = "_llm_observe_conversation"
"""Where a connection keeps what is known of its calls."""


class Conversation(Protocol):
    """Reads one vendor's messages."""

    calls: OpenCalls
    """The calls without an end."""

    def parse(self, data: str | bytes) -> VendorObject:
        """Return a message as an object with its members as attributes, or None."""

    def is_media(self, data: str | bytes) -> bool:
        """Return whether a long message has nothing but sound or pictures, so that parsing it is a waste."""

    def read_sent(self, message: VendorObject) -> None:
        """Record a message of the application."""

    def read_received(self, message: VendorObject) -> None:
        """Record a message of the server."""


class OpenCalls:
    """The calls of one connection that have not ended: asked for, or being answered."""

    def __init__(self, reader: Reader, begin: Callable[[], Call]) -> None:
        self._reader = reader
        self._begin = begin
        self._asked: dict[Call, object] = {}
        """The calls that the server has not begun to answer, oldest first, and the lane of each."""
        self._answered: dict[object, Call] = {}
        self._finalizers: dict[Call, StreamFinalizer] = {}

    def ask(self, lane: object = None) -> Call:
        """Begin a call that the application requests, perhaps on one of several lanes of the connection."""
        call = self._new()
        self._asked[call] = lane
        return call

    def answer(self, key: object, lane: object = None) -> Call:
        """Return the call that is answered under a key: the oldest that was asked for, or a new one."""
        call = self._answered.get(key)
        if call is None:
            call = self._answered[key] = self.oldest_asked(lane) or self._new()
            self._asked.pop(call, None)
        return call

    def find(self, key: object) -> Call | None:
        """Return the call that is answered under a key; without one, the newest that is answered."""
        call = self._answered.get(key)
        return call or (next(reversed(self._answered.values()), None) if key is None else None)

    def newest(self) -> Call | None:
        """Return the call that was begun last."""
        return next(reversed(self._asked or self._answered.values()), None)

    def oldest_asked(self, lane: object = None) -> Call | None:
        """Return the oldest call that the server has not begun to answer, on a lane if that is known."""
        on_it = (call for call, own in self._asked.items() if own == lane)
        maybe_on_it = (call for call, own in self._asked.items() if own is None or lane is None)
        return next(chain(on_it, maybe_on_it), None)

    def end(self, call: Call, outcome: int = SUCCESS) -> None:
        """End a call."""
        self._asked.pop(call, None)
        for key in [key for key, each in self._answered.items() if each is call]:
            del self._answered[key]
        self._finalizers.pop(call).release()
        call.finish(outcome)

    def end_all(self, outcome: int) -> None:
        """End every call: the connection is closed."""
        for call in list(self._finalizers):
            self.end(call, outcome)

    def fail_all(self, error: BaseException) -> None:
        """End every call with an error of the connection."""
        for call in list(self._finalizers):
            fail(self._reader, call, error)
            self.end(call)

    def _new(self) -> Call:
        call = self._begin()
        call.streamed = call.needs_end = True
        self._finalizers[call] = StreamFinalizer(call)
        return call


class _Tap:
    """Reads the messages of one connection, whose ends may be used by two threads."""

    _LONG: Final = 4_096
    """Messages of this length are searched for sound before they are parsed."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._lock = threading.RLock()  # a call that ends may collect another conversation

    def sent(self, data: object) -> None:
        attempt("read_sent", self._read, self._conversation.read_sent, data)

    def received(self, data: object) -> None:
        attempt("read_received", self._read, self._conversation.read_received, data)

    def _read(self, read: Callable[[VendorObject], None], data: object) -> None:
        if not isinstance(data, str | bytes):
            return
        with self._lock:
            if len(data) >= self._LONG and self._conversation.is_media(data):
                call = self._conversation.calls.newest()
                if call is not None and read == self._conversation.read_received:
                    call.note_first_token()
            elif (message := self._conversation.parse(data)) is not None:
                read(message)

    def broken(self, error: BaseException) -> None:
        """End the calls if the connection is closed; a time-out or a cancelled wait closes nothing."""
        names = {kind.__name__ for kind in type(error).__mro__}
        if "ConnectionClosed" in names:
            with self._lock:
                if "ConnectionClosedOK" in names:
                    attempt("end_all", self._conversation.calls.end_all, SUCCESS)
                else:
                    attempt("fail_all", self._conversation.calls.fail_all, error)

    def closed(self) -> None:
        """End the calls that the application leaves."""
        with self._lock:
            attempt("end_all", self._conversation.calls.end_all, CANCELLED)


def observe_socket(socket: VendorObject, make: Callable[[], Conversation]) -> None:
    """Record the messages of a connection, once. One whose class cannot be replaced is left alone."""
    if _CONVERSATION in socket.__dict__:
        return
    socket.__dict__[_CONVERSATION] = _Tap(make())
    observe(socket, _socket_members)


def _socket_members(socket_class: VendorClass) -> dict[str, object]:
    return (_async_members if inspect.iscoroutinefunction(socket_class.recv) else _sync_members)(socket_class)


def _sync_members(socket_class: VendorClass) -> dict[str, object]:
    def recv(self: VendorObject, *arguments: object, **options: object) -> VendorObject:
        tap: _Tap = getattr(self, _CONVERSATION)
        try:
            data = socket_class.recv(self, *arguments, **options)
        except BaseException as error:
            tap.broken(error)
            raise
        tap.received(data)
        return data

    def send(
        self: VendorObject, message: VendorObject, *arguments: object, **options: object
    ) -> VendorObject:
        getattr(self, _CONVERSATION).sent(message)
        return socket_class.send(self, message, *arguments, **options)

    def close(self: VendorObject, *arguments: object, **options: object) -> VendorObject:
        getattr(self, _CONVERSATION).closed()
        return socket_class.close(self, *arguments, **options)

    return {"recv": recv, "send": send, "close": close}


def _async_members(socket_class: VendorClass) -> dict[str, object]:
    async def recv(self: VendorObject, *arguments: object, **options: object) -> VendorObject:
        tap: _Tap = getattr(self, _CONVERSATION)
        try:
            data = await socket_class.recv(self, *arguments, **options)
        except BaseException as error:
            tap.broken(error)
            raise
        tap.received(data)
        return data

    async def send(
        self: VendorObject, message: VendorObject, *arguments: object, **options: object
    ) -> VendorObject:
        getattr(self, _CONVERSATION).sent(message)
        return await socket_class.send(self, message, *arguments, **options)

    async def close(self: VendorObject, *arguments: object, **options: object) -> VendorObject:
        getattr(self, _CONVERSATION).closed()
        return await socket_class.close(self, *arguments, **options)

    return {"recv": recv, "send": send, "close": close}
