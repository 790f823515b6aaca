"""Who calls, and what they may do. Every servicer asks caller() for the project it works in."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from server.rpc.errors import DatabaseIsUnavailable, PermissionDenied, Unauthenticated
from storage.api_keys import ROLES, find_api_key, hash_of, prefix_of
from storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from storage.pool import Database

DEFAULT_PROJECT: Final = "default"
"""Whose rows are those of callers without a key, where no key is needed."""
_ANYBODY: Final = frozenset[str]()
_SERVICE_ROLES: Final[dict[str, Collection[str]]] = {
    "IngestService": {"ingest"},
    "ChatService": {"chat"},
    "ConversationService": {"chat"},
    "AnalyticsService": {"read"},
    "EventService": {"read"},
    "ExportService": {"read"},
    "AdminService": {"admin"},
    "HealthService": _ANYBODY,
}
"""The roles one of which a service wants; admin may call all. Probes have no key: health is for anybody."""
_READ_TOO: Final = {
    ("ConversationService", method) for method in ("GetConversation", "ListConversations", "ListMessages")
}
KEY_CACHE_TTL_S: Final = 3.0
"""How long a checked key is not looked up again: revoking works within this."""
_STALE_KEY_TTL_S: Final = 600.0
"""How long a checked key is good while the database is away: nobody can revoke it there either."""
_KEY_CACHE_SIZE: Final = 10_000


class Caller(NamedTuple):
    """Who calls."""

    project_id: str
    roles: frozenset[str]
    api_key_id: str = ""
    """Empty for a caller without a key, whom the server's address alone lets in."""


_LOCAL: Final = Caller(DEFAULT_PROJECT, frozenset(ROLES))
_caller: ContextVar[Caller] = ContextVar("llm_observe_caller", default=_LOCAL)


def caller() -> Caller:
    """Return who makes the call that is being answered."""
    return _caller.get()


def roles_for(service: str, method: str) -> frozenset[str]:
    """Return the roles one of which a method wants; none when it is for anybody.

    Raises:
        KeyError: The service has no rule: it must get one before it can be called.
    """
    roles = _SERVICE_ROLES[service]
    if not roles:
        return _ANYBODY
    extra = {"read"} if (service, method) in _READ_TOO else set()
    return frozenset({*roles, *extra, "admin"})


class _Checked(NamedTuple):
    caller: Caller | None
    secret_hash: bytes
    at: float


class Authenticator:
    """Lets callers in by their key, or without one where that is allowed.

    Args:
        database: Where keys are kept.
        required: Whether a caller must have a key.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, database: Database, *, required: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._required = required
        self._clock = clock
        self._checked: OrderedDict[str, _Checked] = OrderedDict()

    async def enter(self, context: Any, wanted: frozenset[str]) -> None:
        """Check a call's key and remember the caller for caller().

        Raises:
            Unauthenticated: A key is needed, or the one given is not good.
            PermissionDenied: It has none of the wanted roles.
            DatabaseIsUnavailable: The key cannot be checked now.
        """
        if not wanted:
            return
        secret = _bearer_token(context)
        found = await self._find(secret) if secret is not None else self._without_key()
        if not found.roles & wanted:
            raise PermissionDenied(sorted(wanted))
        _caller.set(found)

    def _without_key(self) -> Caller:
        if self._required:
            raise Unauthenticated("a key is needed: send metadata authorization: Bearer <key>")
        return _LOCAL

    async def _find(self, secret: str) -> Caller:
        prefix = prefix_of(secret)
        known = self._checked.get(prefix)
        if known is None or self._clock() - known.at > KEY_CACHE_TTL_S:
            known = await self._look_up(prefix, known)
        # Compared in constant time, also where there is no such key.
        good = hmac.compare_digest(hash_of(secret), known.secret_hash)
        if not good or known.caller is None:
            raise Unauthenticated("the key is unknown, expired or revoked")
        return known.caller

    async def _look_up(self, prefix: str, known: _Checked | None) -> _Checked:
        try:
            row = await find_api_key(self._database, prefix) if prefix else None
        except StorageError:
            if known is not None and known.caller and self._clock() - known.at < _STALE_KEY_TTL_S:
                return known
            raise DatabaseIsUnavailable from None
        if row is None:
            checked = _Checked(None, b"\x00" * 32, self._clock())
        else:
            found = Caller(row["project_id"], frozenset(row["roles"]), str(row["api_key_id"]))
            checked = _Checked(found, bytes(row["secret_sha256"]), self._clock())
        self._checked[prefix] = checked
        self._checked.move_to_end(prefix)
        while len(self._checked) > _KEY_CACHE_SIZE:
            self._checked.popitem(last=False)
        return checked


def _bearer_token(context: Any) -> str | None:
    """Return the secret of the authorization metadata; None when there is none.

    Raises:
        Unauthenticated: It is there and of another kind.
    """
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            kind, _, secret = str(value).partition(" ")
            if kind.lower() != "bearer" or not secret.strip():
                raise Unauthenticated("authorization must be Bearer <key>")
            return secret.strip()
    return None
