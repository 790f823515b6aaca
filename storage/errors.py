"""Errors of storage. asyncpg's are wrapped once, at the pool's edge."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Iterator


class StorageError(Exception):
    """The database refused the values it was given; the same call will fail again."""


class StorageUnavailable(StorageError):
    """The database cannot answer now; the same call may work later."""


class SchemaMismatch(StorageUnavailable):
    """The schema does not fit this release: the values are not to blame, a migration is missing."""


class RowExists(StorageError):
    """The row to insert already exists."""


class QueryTimeout(StorageUnavailable):
    """The query exceeded its time limit."""


_VALUE_CLASSES: Final = frozenset({"0A", "21", "22", "23", "44", "54", "P0", "XX"})
"""SQLSTATE classes of errors that the values of a statement may cause, so that repeating it is in vain:
unsupported feature, cardinality, data, constraint, check option, program limit, PL/pgSQL, internal.
Every other error is about the connection, the server, the schema or the rights, and may pass."""
_SCHEMA_CLASSES: Final = frozenset({"3F", "42"})
"""SQLSTATE classes that compare the statement with the schema, before any value is looked at."""
_FATAL: Final = frozenset({"FATAL", "PANIC"})
"""Severities that end the connection, of any class: poolers report outages as internal errors (XX000)."""
_CORRUPTION: Final = frozenset({"XX001", "XX002"})
"""Damaged data or indexes: no fault of the values."""
_INSUFFICIENT_PRIVILEGE: Final = "42501"
_DRIVER_ERRORS: Final = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn asyncpg's errors into ours. The text is not carried on: it may quote a row."""
    try:
        yield
    except (TimeoutError, asyncpg.QueryCanceledError) as error:
        raise QueryTimeout("the database took too long") from error
    except _DRIVER_ERRORS as error:
        raise StorageUnavailable(f"the database is unavailable: {_describe(error)}") from error
    except asyncpg.PostgresError as error:
        raise _to_storage_error(error) from error


def _describe(error: Exception) -> str:
    """Return an error's name, and of a certificate what is wrong with it, which quotes no row."""
    name = type(error).__name__
    return f"{name} ({error.verify_message})" if isinstance(error, ssl.SSLCertVerificationError) else name


def _to_storage_error(error: asyncpg.PostgresError) -> StorageError:
    state = error.sqlstate or ""
    name = f"{type(error).__name__} {state}"
    if isinstance(error, asyncpg.UniqueViolationError):
        return RowExists("the row already exists")
    if isinstance(error, asyncpg.InvalidCachedStatementError):  # a migration ran since it was prepared
        return SchemaMismatch(f"the database schema has just changed ({name})")
    if state[:2] in _SCHEMA_CLASSES and state != _INSUFFICIENT_PRIVILEGE:
        return SchemaMismatch(
            f"the database schema does not fit this release ({name}): run `llm-observe migrate`"
        )
    if state[:2] in _VALUE_CLASSES and error.severity_en not in _FATAL and state not in _CORRUPTION:
        return StorageError(f"the database rejected the values: {name}")
    return StorageUnavailable(f"the database is unavailable: {name}")
