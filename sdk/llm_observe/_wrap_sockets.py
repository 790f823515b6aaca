"""Records the WebSockets of an OpenAI client: every ``connect()``, and the connections that it makes."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from llm_observe._guard import attempt
from llm_observe._providers.openai_events import OpenAIConversation
from llm_observe._sockets import observe_socket
from llm_observe._stand_in import is_recorded, observe

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._call import Call
    from llm_observe._vendor import VendorClass, VendorObject

    Locate = Callable[[VendorObject, Call], None]
    """Notes on a Call where a client calls."""

_PATHS: Final = frozenset({"realtime", "responses", "live", "beta", "sideband", "forks"})
"""The attributes that lead from a client to what can connect."""
_SOCKET: Final = "_connection"
"""Where the vendor's connection keeps the WebSocket; another one after it had to connect again."""
_MAKE: Final = "_llm_observe_make"
"""Where managers and connections keep how to read the messages."""


def socket_members(owner_class: VendorClass, locate: Locate) -> dict[str, object]:
    """Return the members by which a client, or an object on the way, records what it leads to."""
    members: dict[str, object] = {
        name: _path(owner_class, name, locate) for name in _PATHS if hasattr(owner_class, name)
    }
    if hasattr(owner_class, "connect"):
        members["connect"] = _connect(owner_class, locate)
    return members


def observe_paths(owner: VendorObject, locate: Locate) -> None:
    """Record what an object has made already."""
    for name in _PATHS:
        made = owner.__dict__.get(name)
        if made is not None:
            _observe_resource(made, locate)


def _path(owner_class: VendorClass, name: str, locate: Locate) -> VendorObject:
    original = getattr(owner_class, name)  # asked of a class, a property returns itself

    def make(self: VendorObject) -> VendorObject:
        resource = original.__get__(self, type(self))
        attempt("observe_resource", _observe_resource, resource, locate)
        return resource

    path = functools.cached_property(functools.update_wrapper(make, getattr(original, "func", make)))
    path.__set_name__(owner_class, name)
    return path


def _observe_resource(resource: VendorObject, locate: Locate) -> None:
    if _PATHS & set(dir(type(resource))) or hasattr(resource, "connect"):
        observe(resource, _ResourceMembers(locate))
        observe_paths(resource, locate)


@dataclass(frozen=True)
class _ResourceMembers:
    """Makes the members of a resource. Equal ones share a stand-in."""

    locate: Locate

    def __call__(self, owner_class: VendorClass) -> dict[str, object]:
        return socket_members(owner_class, self.locate)


def _connect(resource_class: VendorClass, locate: Locate) -> Callable[..., VendorObject]:
    original = resource_class.connect

    @functools.wraps(original)
    def connect(self: VendorObject, *arguments: object, **options: object) -> VendorObject:
        manager = original(self, *arguments, **options)
        client = self._client
        if is_recorded(client):
            # Realtime goes on after most errors; a Responses connection answers one request with one.
            errors_end = "Realtime" not in resource_class.__name__
            make = functools.partial(
                OpenAIConversation,
                options.get("model"),
                functools.partial(locate, client),
                errors_end=errors_end,
            )
            attempt("observe_manager", _keep_and_observe, manager, make, _manager_members)
        return manager

    return connect


def _keep_and_observe(
    target: VendorObject,
    make: Callable[[], OpenAIConversation],
    members: Callable[[VendorClass], dict[str, object]],
) -> None:
    target.__dict__[_MAKE] = make
    observe(target, members)


def _manager_members(manager_class: VendorClass) -> dict[str, object]:
    members: dict[str, object] = {}
    for name in ("__enter__", "enter"):
        if hasattr(manager_class, name):
            members[name] = _entering(manager_class, name)
    if hasattr(manager_class, "__aenter__"):
        members["__aenter__"] = members["enter"] = _aentering(manager_class)
    return members


def _entering(manager_class: VendorClass, name: str) -> Callable[..., VendorObject]:
    @functools.wraps(getattr(manager_class, name))
    def enter(self: VendorObject) -> VendorObject:
        connection = getattr(manager_class, name)(self)
        attempt("observe_connection", _observe_connection, connection, getattr(self, _MAKE))
        return connection

    return enter


def _aentering(manager_class: VendorClass) -> Callable[..., VendorObject]:
    @functools.wraps(manager_class.__aenter__)
    async def enter(self: VendorObject) -> VendorObject:
        connection = await manager_class.__aenter__(self)
        attempt("observe_connection", _observe_connection, connection, getattr(self, _MAKE))
        return connection

    return enter


def _observe_connection(connection: VendorObject, make: Callable[[], OpenAIConversation]) -> None:
    _keep_and_observe(connection, make, _connection_members)
    observe_socket(connection.__dict__[_SOCKET], make)


def _connection_members(connection_class: VendorClass) -> dict[str, object]:
    del connection_class

    def read(self: VendorObject) -> VendorObject:
        return self.__dict__[_SOCKET]

    def write(self: VendorObject, socket: VendorObject) -> None:
        self.__dict__[_SOCKET] = socket
        attempt("observe_socket", observe_socket, socket, self.__dict__[_MAKE])

    return {_SOCKET: property(read, write)}
