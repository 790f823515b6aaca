"""Stand-ins: classes that take the place of a vendor's own, so that what is recorded hangs on no object.

A method that is put on an object and calls the object's old one is taken along by copies: a copy then calls
through to the first object, with its key and to its address. A class knows no object. Whatever makes another
(``copy.copy``, ``copy.deepcopy``, pickle, ``type(client)(...)``, the clients' own ``copy()``) makes one that
is recorded and calls as itself.
"""

from __future__ import annotations

import copyreg
import functools
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    Members = Callable[[Any], dict[str, Any]]
    """Makes the methods that a stand-in has in place of those of the class that it is given."""

_Object = TypeVar("_Object")
_MEMBERS: Final = "_llm_observe_members"


class _Observed:
    """Comes before a stand-in's bases: no ``__init_subclass__`` of an application's is told of it."""

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        if not _is_stand_in(cls):
            super().__init_subclass__(**options)


class _StandIn(type):
    """Equals the class it stands for: vendors ask ``type(client) in (Anthropic, AsyncAnthropic)``."""

    def mro(cls) -> list[type]:
        own, *bases = super().mro()
        # Not one of __bases__: an object changes its class only for one with the same base.
        return [own, _Observed, *bases] if _is_stand_in(cls) else [own, *bases]

    def __eq__(cls, other: object) -> bool:
        return _original(cls) is _original(other)

    def __hash__(cls) -> int:
        return type.__hash__(_original(cls))

    def __instancecheck__(cls, instance: object) -> bool:
        return type.__instancecheck__(_original(cls), instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return type.__subclasscheck__(_original(cls), subclass)


def _is_stand_in(kind: Any) -> bool:
    """Tell stand-ins from other classes, those that an application derives from one among them."""
    return isinstance(kind, _StandIn) and _MEMBERS in vars(kind)


def _original(kind: Any) -> Any:
    """Return the class that a stand-in stands for; any other class, as it is."""
    return kind.__bases__[0] if _is_stand_in(kind) else kind


@functools.cache
def _metaclass(kind: Any) -> Any:
    """Return the class of stand-ins for classes of type ``kind``."""
    made: Any = _StandIn if kind is type else type(_StandIn.__name__, (_StandIn, kind), {})
    copyreg.pickle(made, _reduce)
    return made


def _reduce(kind: Any) -> Any:
    """Pickle a stand-in as what it is made of: no module holds it."""
    return (_stand_in, (_original(kind), vars(kind)[_MEMBERS])) if _is_stand_in(kind) else kind.__qualname__


@functools.lru_cache(maxsize=256)  # an application may make its classes as it goes
def _stand_in(kind: Any, members: Members) -> Any:
    namespace = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
        _MEMBERS: members,
        **members(kind),
    }
    metaclass: Any = type(kind)
    return _metaclass(metaclass)(kind.__name__, (kind,), namespace)


def observe(target: _Object, members: Members) -> _Object:
    """Put a stand-in in the place of an object's class, once; returns the object.

    Raises:
        TypeError: The object is of a kind that keeps its class.
    """
    kind: Any = type(target)
    if _Observed not in kind.__mro__:
        # Not by plain assignment, which the class may have closed.
        object.__setattr__(target, "__class__", _stand_in(kind, members))
    return target


def restore(target: _Object) -> _Object:
    """Give an object its own class back; returns the object."""
    if _is_stand_in(type(target)):
        object.__setattr__(target, "__class__", _original(type(target)))
    return target
