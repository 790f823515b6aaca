"""Counts how often google.genai.Client tries a request: it shows that nowhere, but each try is one method."""

from __future__ import annotations

import functools
import inspect
from contextvars import ContextVar
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from llm_observe._stand_in import is_wrapped, observe, restore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llm_observe._call import Call
    from llm_observe._vendor import VendorClass, VendorObject

_TRY: Final = "_request_once"
_ASYNC_TRY: Final = "_async_request_once"
_SESSION: Final = "_get_aiohttp_session"
_current: ContextVar[Tries | None] = ContextVar("llm_observe_gemini_tries", default=None)
"""Those of the request that is being made."""


class Tries:
    """Counts the tries of the request that is made inside ``with``."""

    __slots__ = ("_call", "_outer", "_sessions")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._outer: Tries | None = None
        self._sessions = 0

    def __enter__(self) -> None:
        self._outer = _current.get()
        _current.set(self)

    def __exit__(self, *_: object) -> None:
        _current.set(self._outer)

    def begin(self) -> None:
        """Count a try."""
        self._sessions = 0
        self._add()

    def note_session(self) -> None:
        """Count what tenacity does not see: a try that asks aiohttp for another session repeats itself."""
        self._sessions += 1
        if self._sessions > 1:
            self._add()

    def _add(self) -> None:
        done = self._call.retry_count
        self._call.retry_count = 0 if done is None else done + 1


def counting(chunks: Iterator[VendorObject], call: Call) -> Iterator[VendorObject]:
    """Return a stream whose request, which is made for the first chunk, is counted."""
    return chain.from_iterable(_parts(chunks, call))


def _parts(chunks: Iterator[VendorObject], call: Call) -> Iterator[Iterator[VendorObject]]:
    yield _first(chunks, call)
    yield chunks


def _first(chunks: Iterator[VendorObject], call: Call) -> Iterator[VendorObject]:
    with Tries(call):
        return iter(list(islice(chunks, 1)))


def observe_tries(models: VendorObject) -> None:
    """Count the tries of a wrapped client. At each call: what makes its requests may be another object."""
    if not is_wrapped(models):
        return
    api_client = models._api_client  # noqa: SLF001 - the client shows it nowhere else
    if not is_wrapped(api_client) and tries_members(type(api_client)):  # and no mock in its place
        observe(api_client, tries_members)


def restore_tries(models: VendorObject) -> None:
    """Stop counting. A client that shares the object and is still wrapped goes on with its next call."""
    restore(getattr(models, "_api_client", None))


def tries_members(client_class: VendorClass) -> dict[str, object]:
    """Return the methods that count; a version of the client may have none to count."""
    found = {name: Tries.begin for name in (_TRY, _ASYNC_TRY) if hasattr(client_class, name)}
    if _ASYNC_TRY in found and hasattr(client_class, _SESSION):
        found[_SESSION] = Tries.note_session
    return {name: _noting(client_class, name, note) for name, note in found.items()}


def _noting(
    client_class: VendorClass, name: str, note: Callable[[Tries], None]
) -> Callable[..., VendorObject]:
    original = getattr(client_class, name)

    @functools.wraps(original)
    def method(self: VendorObject, *arguments: object, **options: object) -> VendorObject:
        tries = _current.get()
        if tries is not None:
            note(tries)
        return getattr(client_class, name)(self, *arguments, **options)

    @functools.wraps(original)
    async def amethod(self: VendorObject, *arguments: object, **options: object) -> VendorObject:
        return await method(self, *arguments, **options)

    return amethod if inspect.iscoroutinefunction(original) else method
