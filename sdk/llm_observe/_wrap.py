"""Records the vendors' clients: which they are, and what overrides their methods."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar, cast

from llm_observe._process_end import watch_sigterm
from llm_observe._providers import anthropic as anthropic_provider
from llm_observe._providers import openai as openai_provider
from llm_observe._requests import PROVIDER, locate, request_members
from llm_observe._runtime import load_sender
from llm_observe._stand_in import observe, restore
from llm_observe._wrap_gemini import gemini_classes, observe_gemini, restore_gemini
from llm_observe._wrap_sockets import observe_paths, socket_members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from llm_observe._providers import Provider
    from llm_observe._stand_in import Members
    from llm_observe._vendor import VendorClass

_Client = TypeVar("_Client")
_READERS: Final[dict[str, Provider]] = {"openai": openai_provider, "anthropic": anthropic_provider}
"""Vendors whose clients have a single request method, by the name of their package."""
_CLIENT_BASES: Final = ("SyncAPIClient", "AsyncAPIClient")
"""The bases of all their clients, those for Azure, Bedrock, Vertex AI and so on included."""
_GEMINI_TYPES: Final = {("google.genai", "Client"), ("google.genai", "AsyncClient")}


def wrap_client(client: _Client, provider: str = "") -> _Client:
    """Record a client's calls, once. ``provider`` names who serves them; by default, the base URL does.

    Raises:
        TypeError: The client's type is not supported.
    """
    watch_sigterm()  # the first call may come from another thread, where that is not possible
    client_class = type(client)
    if _find_reader(client_class) is not None:
        given = provider or getattr(client_class, PROVIDER, "")
        observe(client, _ClientMembers(given), replace=True)
        observe_paths(client, locate)
    elif _names(client_class) & _GEMINI_TYPES:
        observe_gemini(client, provider)
    else:
        raise TypeError(f"llm_observe.wrap() does not support clients of type {client_class.__name__}")
    load_sender()
    return client


def unwrap_client(client: _Client) -> _Client:
    """Stop recording a client's calls. A client that is not recorded is left alone."""
    if _names(type(client)) & _GEMINI_TYPES:
        restore_gemini(client)
    return restore(client)


def recorded_classes(name: str, package: ModuleType) -> Iterator[tuple[VendorClass, Members]]:
    """Yield the classes of a vendor's package that make requests, and what overrides their methods."""
    if name == "google.genai":
        yield from gemini_classes(package)
        return
    for base in _CLIENT_BASES:
        yield getattr(package._base_client, base), _ClientMembers("").methods  # noqa: SLF001 - no other place
    if name == "openai":
        defined = sys.modules.get("openai._client")  # in the package itself, a test may have put mocks
        for client in ("OpenAI", "AsyncOpenAI"):
            yield getattr(defined, client, None), _socket_members


def _socket_members(client_class: VendorClass) -> dict[str, object]:
    return socket_members(client_class, locate)


def _names(client_class: type) -> set[tuple[str, str]]:
    return {(_package_of(base), base.__name__) for base in client_class.__mro__}


def _package_of(base: type) -> str:
    """Return the package of a class; ``google`` is shared by many."""
    package, _, rest = base.__module__.partition(".")
    return f"{package}.{rest.partition('.')[0]}" if package == "google" else package


def _find_reader(client_class: type) -> Provider | None:
    return next(
        (
            _READERS[package]
            for package, name in _names(client_class)
            if name in _CLIENT_BASES and package in _READERS
        ),
        None,
    )


@dataclass(frozen=True)
class _ClientMembers:
    """Makes the methods that record a client. Equal ones share a stand-in."""

    provider: str
    """Who serves the calls, if the application says so."""

    def __call__(self, client_class: VendorClass) -> dict[str, object]:
        sockets = _socket_members(client_class) if _find_reader(client_class) is openai_provider else {}
        return {**self.methods(client_class), **sockets, PROVIDER: self.provider}

    def methods(self, client_class: VendorClass) -> dict[str, object]:
        """Return the methods alone, which a class may get that is no stand-in."""
        reader = cast("Provider", _find_reader(client_class))  # the caller has found it
        return request_members(client_class, reader, self.provider)
