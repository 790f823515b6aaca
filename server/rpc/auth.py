"""Authenticates callers and checks their roles. Servicers ask caller() for the project they work in."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from server.rpc.errors import DatabaseIsUnavailable, PermissionDenied, Unauthenticated
from server.rpc.key_attempts import KeyAttempts
from storage.api_keys import DEFAULT_PROJECT, ROLES, find_api_key, hash_of, prefix_of
from storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from storage.pool import Database

    Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]

_OURS: Final = "llm_observe.v1."
_NO_ROLES: Final = frozenset[str]()
_SERVICE_ROLES: Final[dict[str, Collection[str]]] = {
    "IngestService": {"ingest"},
    "ChatService": {"chat"},
    "ConversationService": {"chat"},
    "AnalyticsService": {"read"},
    "EventService": {"read"},
    "TraceService": {"read"},
    "ReportService": {"read"},
    "ExportService": {"admin"},
    "AdminService": {"admin"},
    "AlertService": {"admin"},
    "HealthService": _NO_ROLES,
    "opentelemetry.proto.collector.trace.v1.TraceService": {"ingest"},
    "opentelemetry.proto.collector.logs.v1.LogsService": {"ingest"},
    "opentelemetry.proto.collector.metrics.v1.MetricsService": {"ingest"},
}
"""Roles that may call a service, besides admin: ours by its name, another by its full name.

Anybody may call health: probes have no key.
"""
_READ_TOO: Final = {
    ("ConversationService", "GetConversation"),
    ("ConversationService", "ListConversations"),
    ("ConversationService", "ListMessages"),
    ("AlertService", "GetAlertRule"),
    ("AlertService", "ListAlertRules"),
    ("AlertService", "EvaluateAlertRule"),
    ("AlertService", "GetBudget"),
    ("AlertService", "ListBudgets"),
    ("AlertService", "ListChannels"),
    ("AlertService", "ListAlerts"),
}
"""Methods that role read may call, too."""
_ANY_ROLE: Final = {("AdminService", "GetCaller")}
"""Methods that every key may call, whatever its roles."""
KEY_CACHE_TTL_S: Final = 3.0
"""How long a key is trusted without asking the database, in seconds: a revoked key works no longer."""
STALE_KEY_TTL_S: Final = 600.0
"""How long it is trusted while the database is unavailable, in seconds: no key can be revoked then either."""
_LOOKUP_TIMEOUT_S: Final = 1.0
_KEY_CACHE_SIZE: Final = 10_000
_NO_HASH: Final = b"\x00" * 32


class Caller(NamedTuple):
    """Who makes a call."""

    project_id: str
    roles: frozenset[str]
    api_key_id: str = ""
    """Empty for a caller without a key."""


_LOCAL: Final = Caller(DEFAULT_PROJECT, frozenset(ROLES))
_caller: ContextVar[Caller] = ContextVar("llm_observe_caller", default=_LOCAL)


def caller() -> Caller:
    """Return who makes the current call."""
    return _caller.get()


def roles_for(service: str, method: str) -> frozenset[str]:
    """Return the roles that may call a method of a service, by its full name; none when anybody may.

    Raises:
        KeyError: The service is not in the table: it must be added before it can be served.
    """
    service = service.removeprefix(_OURS)
    roles = _SERVICE_ROLES[service]
    if not roles:
        return _NO_ROLES
    if (service, method) in _ANY_ROLE:
        return frozenset(ROLES)
    extra = {"read"} if (service, method) in _READ_TOO else set()
    return frozenset({*roles, *extra, "admin"})


class _Lookup(NamedTuple):
    """What the database said of a key's prefix."""

    caller: Caller | None
    """None when there is no such key, or it has expired or was revoked."""
    secret_hash: bytes
    confirmed_at: float
    """When the database said so, by the authenticator's clock."""
    recheck_at: float


class Authenticator:
    """Authenticates callers by their API key, or admits them without one where keys are optional.

    Calls that need the same key at once share one query. A database that hangs delays each call by a second,
    and a key that was checked lately is good without it for a while.

    Args:
        database: Where keys are kept.
        required: Whether a caller must have a key.
        clock: Seconds, monotonic.
        wrong_keys_per_minute: How many wrong keys an address may try in a minute; 0 means any number.
    """

    def __init__(
        self,
        database: Database,
        *,
        required: bool,
        clock: Callable[[], float] = time.monotonic,
        wrong_keys_per_minute: int = 0,
    ) -> None:
        self._database = database
        self._attempts = KeyAttempts(wrong_keys_per_minute, clock)
        self._required = required
        self._clock = clock
        self._known: OrderedDict[str, _Lookup] = OrderedDict()
        self._lookups: dict[str, asyncio.Task[_Lookup | None]] = {}
        """By prefix: the one query that is in flight."""

    async def authorize(
        self, metadata: Metadata, allowed_roles: frozenset[str], address_of: Callable[[], str] = str
    ) -> None:
        """Check the key in a call's metadata, and set what caller() returns. Without roles, anybody may call.

        ``address_of`` says where the call comes from; it is asked only for keys not known to be good.

        Raises:
            Unauthenticated: A key is required, or the given one is not valid.
            RateLimited: The address has tried too many wrong keys.
            PermissionDenied: The key has none of the allowed roles.
            DatabaseIsUnavailable: The key cannot be checked now.
        """
        if not allowed_roles:
            return
        secret = _bearer_token(metadata)
        authenticated = (
            self._without_key() if secret is None else await self._authenticate(secret, address_of)
        )
        if not authenticated.roles & allowed_roles:
            raise PermissionDenied(sorted(allowed_roles))
        _caller.set(authenticated)

    def _without_key(self) -> Caller:
        if self._required:
            raise Unauthenticated("an API key is required: send the metadata `authorization: Bearer <key>`")
        return _LOCAL

    async def _authenticate(self, secret: str, address_of: Callable[[], str]) -> Caller:
        prefix = prefix_of(secret)
        known = self._known.get(prefix)
        if known is None or self._clock() > known.recheck_at:
            if known is None or known.caller is None:
                self._attempts.check(address_of())
            known = await self._look_up(prefix)
        # Compared in constant time, also where there is no such key.
        matches = hmac.compare_digest(hash_of(secret), known.secret_hash)
        if not matches or known.caller is None:
            self._attempts.count(address_of())
            raise Unauthenticated("the API key is unknown, expired or revoked")
        return known.caller

    async def _look_up(self, prefix: str) -> _Lookup:
        query = self._lookups.get(prefix)
        if query is None:
            query = self._lookups[prefix] = asyncio.create_task(self._query(prefix), name="api-key-lookup")
        # Shielded: others may wait for it, too. It has a time-out of its own.
        result = await asyncio.shield(query)
        if result is None:
            raise DatabaseIsUnavailable
        return result

    async def _query(self, prefix: str) -> _Lookup | None:
        """Ask the database; None when it does not answer, and the key was not checked lately."""
        try:
            async with asyncio.timeout(_LOOKUP_TIMEOUT_S):
                row = await find_api_key(self._database, prefix) if prefix else None
        except (StorageError, TimeoutError):
            return self._extend(prefix)
        finally:
            del self._lookups[prefix]
        now = self._clock()
        if row is None:
            return self._remember(prefix, _Lookup(None, _NO_HASH, now, now + KEY_CACHE_TTL_S))
        found = Caller(row.project_id, frozenset(row.roles), str(row.api_key_id))
        return self._remember(prefix, _Lookup(found, row.secret_sha256, now, now + KEY_CACHE_TTL_S))

    def _extend(self, prefix: str) -> _Lookup | None:
        """Trust what was said of a good key before; the database is not asked for it again at once."""
        known, now = self._known.get(prefix), self._clock()
        if known is None or known.caller is None or now - known.confirmed_at >= STALE_KEY_TTL_S:
            return None
        return self._remember(prefix, known._replace(recheck_at=now + KEY_CACHE_TTL_S))

    def _remember(self, prefix: str, result: _Lookup) -> _Lookup:
        self._known[prefix] = result
        self._known.move_to_end(prefix)
        while len(self._known) > _KEY_CACHE_SIZE:
            self._known.popitem(last=False)
        return result


def _bearer_token(metadata: Metadata) -> str | None:
    """Return the secret in a call's authorization metadata; None without any.

    Raises:
        Unauthenticated: The metadata is not a bearer token.
    """
    for key, value in metadata:
        if key == "authorization":
            scheme, _, secret = str(value).partition(" ")
            if scheme.lower() != "bearer" or not secret.strip():
                raise Unauthenticated("the authorization metadata must be `Bearer <key>`")
            return secret.strip()
    return None
