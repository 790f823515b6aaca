"""Records every client of the process.

wrap() replaces the class of one client by a stand-in, which overrides some methods (_stand_in.py). Here the
vendors' classes themselves get the same methods, so that every client has them, whoever makes it and when. A
client that is wrapped as well is recorded by its stand-in alone.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import threading
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe import _stand_in
from llm_observe._guard import guarded
from llm_observe._import_hook import ImportHook
from llm_observe._process_end import watch_sigterm
from llm_observe._runtime import load_sender
from llm_observe._stand_in import is_wrapped
from llm_observe._wrap import recorded_classes

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from llm_observe._stand_in import Members
    from llm_observe._vendor import VendorClass, VendorObject

VENDORS: Final = ("openai", "anthropic", "google.genai")


class _Replaced(NamedTuple):
    """A method of a vendor's class that was replaced."""

    method: object
    """What replaces it."""
    own: object
    """What the class itself had under the name; None if the method was inherited."""


_lock = threading.Lock()
_replaced: dict[tuple[VendorClass, str], _Replaced] = {}


def instrument_process() -> None:
    """Record the calls of every client, existing ones and those of packages imported later, once."""
    watch_sigterm()  # the first call may come from another thread, where that is not possible
    _stand_in.every_client = True
    _hook.install()
    for name in VENDORS:
        if sys.modules.get(name) is not None:
            with suppress(ImportError):
                _on_import(name, import_module(name))  # waits for a thread that is importing it


def uninstrument_process() -> None:
    """Restore the vendors' classes. A method that somebody has replaced since stays, but only passes on."""
    _stand_in.every_client = False
    _hook.remove()
    with _lock:
        for (kind, name), replaced in list(_replaced.items()):
            if vars(kind).get(name) is replaced.method:
                _restore(kind, name, replaced.own)
                del _replaced[kind, name]


def _restore(kind: VendorClass, name: str, own: object) -> None:
    if own is None:
        delattr(kind, name)
    else:
        setattr(kind, name, own)


def _on_import(name: str, package: ModuleType) -> None:
    with guarded("instrument"), _lock:
        for kind, members in recorded_classes(name, package):
            if isinstance(kind, type):  # and no mock in its place
                _replace_methods(kind, members)
    load_sender()


def _replace_methods(kind: VendorClass, members: Members) -> None:
    originals = _Originals(kind)
    for name, recording in members(originals).items():
        if any((base, name) in _replaced for base in kind.__mro__):
            continue
        method = _recording_once(getattr(originals, name), recording) if callable(recording) else recording
        _replaced[kind, name] = _Replaced(method, vars(kind).get(name))
        setattr(kind, name, method)


class _Originals:
    """Has the methods of a class as they were when they were first asked for."""

    def __init__(self, kind: VendorClass) -> None:
        self._kind = kind

    def __getattr__(self, name: str) -> object:
        value = getattr(self._kind, name)
        setattr(self, name, value)
        return value


def _recording_once(original: VendorObject, recording: VendorObject) -> Callable[..., VendorObject]:
    """Return a method that records a call, unless the client is wrapped or recording has ended."""
    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def amethod(self: VendorObject, *arguments: object, **options: object) -> VendorObject:
            chosen = recording if _stand_in.every_client and not is_wrapped(self) else original
            return await chosen(self, *arguments, **options)

        return amethod

    @functools.wraps(original)
    def method(self: VendorObject, *arguments: object, **options: object) -> VendorObject:
        chosen = recording if _stand_in.every_client and not is_wrapped(self) else original
        return chosen(self, *arguments, **options)

    return method


_hook: Final = ImportHook(VENDORS, _on_import)


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603 - the parent's may be held by a thread of the parent
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
