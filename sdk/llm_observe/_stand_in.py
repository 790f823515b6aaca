"""Stand-ins: subclasses that replace the class of a vendor's object to record it.

Why not replace a method on the object? A copy of the object would have the same method, which calls the first
object, with its key and its address. A class is not bound to an object: however another client is made
(``copy.copy``, ``copy.deepcopy``, pickle, ``type(client)(...)``, the clients' own ``copy()``), it is recorded
and calls as itself.
"""

from __future__ import annotations

import copyreg
import functools
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._vendor import VendorClass

    Members = Callable[[VendorClass], dict[str, object]]
    """Returns the methods that override those of a class."""

_Object = TypeVar("_Object")
_MEMBERS: Final = "_llm_observe_members"


class _Observed:
    """Precedes a stand-in's bases and hides it from an application's ``__init_subclass__``."""

    __slots__ = ()

    def __init_subclass__(cls, **options: object) -> None:
        if not _is_stand_in(cls):
            super().__init_subclass__(**options)


class _StandIn(type):
    """Makes classes that equal their originals: vendors check ``type(client) in (Anthropic, ...)``."""

    def mro(cls) -> list[type]:
        own, *bases = super().mro()
        # Not in __bases__: an object's class can only be replaced by one with the same base.
        return [own, _Observed, *bases] if _is_stand_in(cls) else [own, *bases]

    def __eq__(cls, other: object) -> bool:
        return _original(cls) is _original(other)

    def __hash__(cls) -> int:
        return type.__hash__(_original(cls))

    def __instancecheck__(cls, instance: object) -> bool:
        return type.__instancecheck__(_original(cls), instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return type.__subclasscheck__(_original(cls), subclass)


def _is_stand_in(kind: object) -> bool:
    """Return whether a class is a stand-in itself, not a class that an application derived from one."""
    return isinstance(kind, _StandIn) and _MEMBERS in vars(kind)


def _original(kind: VendorClass) -> VendorClass:
    """Return the class that a stand-in replaces; any other class unchanged."""
    return kind.__bases__[0] if _is_stand_in(kind) else kind


@functools.cache
def _metaclass(kind: VendorClass) -> VendorClass:
    """Return the metaclass of stand-ins for classes whose metaclass is ``kind``."""
    metaclass: VendorClass = _StandIn if kind is type else type(_StandIn.__name__, (_StandIn, kind), {})
    copyreg.pickle(metaclass, _reduce)
    return metaclass


def _reduce(kind: VendorClass) -> str | tuple[Callable[..., object], tuple[object, ...]]:
    """Pickle a stand-in as its original and its members: it is in no module."""
    return (_stand_in, (_original(kind), vars(kind)[_MEMBERS])) if _is_stand_in(kind) else kind.__qualname__


@functools.lru_cache(maxsize=256)  # bounded: an application may create classes all the time
def _stand_in(kind: VendorClass, members: Members) -> VendorClass:
    namespace = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
        _MEMBERS: members,
        **members(kind),
    }
    metaclass: VendorClass = type(kind)
    return _metaclass(metaclass)(kind.__name__, (kind,), namespace)


def is_wrapped(target: object) -> bool:
    """Return whether an object's class is a stand-in, or derived from one."""
    return isinstance(type(target), _StandIn)


every_client = False
"""Whether instrument() records every client of the process, not only those that are wrapped."""


def is_recorded(client: object) -> bool:
    """Return whether a client's calls are recorded."""
    return every_client or is_wrapped(client)


def observe(target: _Object, members: Members, *, replace: bool = False) -> _Object:
    """Replace an object's class by a stand-in, once; return the object.

    Args:
        target: The object.
        members: Makes the methods that override those of its class.
        replace: Whether these replace the methods of a stand-in that the object has already.

    Raises:
        TypeError: The object's class cannot be replaced.
    """
    if replace:
        restore(target)
    kind: VendorClass = type(target)
    if _Observed not in kind.__mro__:
        # Not by plain assignment: the class may override __setattr__.
        object.__setattr__(target, "__class__", _stand_in(kind, members))
    return target


def restore(target: _Object) -> _Object:
    """Restore an object's original class; return the object."""
    if _is_stand_in(type(target)):
        object.__setattr__(target, "__class__", _original(type(target)))
    return target
