"""Errors of storage. asyncpg's are wrapped once, at the pool's edge."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Iterator


class StorageError(Exception):
    """The database refused what was asked."""


class StorageUnavailable(StorageError):
    """The database cannot answer now; the same call may work later."""


class RowExists(StorageError):
    """A row to insert is there already."""


class QueryTimeout(StorageUnavailable):
    """The query took longer than it may."""


_TRANSIENT = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.OutOfMemoryError,
    asyncpg.DiskFullError,
    asyncpg.ReadOnlySQLTransactionError,
)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn asyncpg's errors into ours. The text is not carried on: it may quote a row."""
    try:
        yield
    except (TimeoutError, asyncpg.QueryCanceledError) as error:
        raise QueryTimeout("the database took too long") from error
    except _TRANSIENT as error:
        raise StorageUnavailable(f"the database cannot answer: {type(error).__name__}") from error
    except asyncpg.UniqueViolationError as error:
        raise RowExists("the database has this row already") from error
    except asyncpg.PostgresError as error:
        raise StorageError(f"the database refused: {type(error).__name__} {error.sqlstate}") from error
