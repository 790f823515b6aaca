"""Only errors caused by values count against a batch; others are outages."""

from __future__ import annotations

import asyncpg
import pytest

from storage.errors import (
    QueryTimeout,
    RowExists,
    SchemaMismatch,
    StorageError,
    StorageUnavailable,
    storage_errors,
)

BY_SQLSTATE = {
    "08006": StorageUnavailable,  # connection failure
    "0A000": StorageError,  # feature not supported
    "21000": StorageError,  # cardinality violation
    "22003": StorageError,  # numeric value out of range
    "22021": StorageError,  # character not in repertoire
    "22P04": StorageError,  # bad COPY file format
    "23502": StorageError,  # not null violation
    "23505": RowExists,
    "23514": StorageError,  # check violation
    "25006": StorageUnavailable,  # read-only transaction
    "28P01": StorageUnavailable,  # wrong password
    "3D000": StorageUnavailable,  # no such database
    "3F000": SchemaMismatch,  # no such schema
    "40001": StorageUnavailable,  # serialization failure
    "40P01": StorageUnavailable,  # deadlock
    "42501": StorageUnavailable,  # insufficient privilege
    "42601": SchemaMismatch,  # syntax error
    "42703": SchemaMismatch,  # undefined column
    "42704": SchemaMismatch,  # undefined object
    "42804": SchemaMismatch,  # datatype mismatch
    "42883": SchemaMismatch,  # undefined function
    "42P01": SchemaMismatch,  # undefined table
    "42P10": SchemaMismatch,  # no unique index for ON CONFLICT
    "53100": StorageUnavailable,  # disk full
    "53200": StorageUnavailable,  # out of memory
    "53300": StorageUnavailable,  # too many connections
    "54000": StorageError,  # program limit exceeded
    "55P03": StorageUnavailable,  # lock not available
    "57014": QueryTimeout,
    "57P01": StorageUnavailable,  # admin shutdown
    "57P03": StorageUnavailable,  # cannot connect now
    "58030": StorageUnavailable,  # I/O error
    "XX000": StorageError,  # internal error
    "XX001": StorageUnavailable,  # data corrupted
    "XX002": StorageUnavailable,  # index corrupted
}


def kind_of(error: BaseException) -> type[Exception]:
    with pytest.raises(StorageError) as caught, storage_errors():
        raise error
    assert "SECRET" not in str(caught.value)
    return caught.type


@pytest.mark.parametrize(("sqlstate", "kind"), BY_SQLSTATE.items())
def test_a_postgres_error_is_classified_by_its_sqlstate(sqlstate, kind):
    assert kind_of(asyncpg.PostgresError.new({"C": sqlstate, "M": "SECRET"})) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError("SECRET"), StorageUnavailable),
        (TimeoutError("SECRET"), QueryTimeout),
        (asyncpg.InterfaceError("SECRET"), StorageUnavailable),
        (asyncpg.OutdatedSchemaCacheError("SECRET"), StorageUnavailable),
        (asyncpg.InvalidCachedStatementError("SECRET"), SchemaMismatch),
    ],
)
def test_a_driver_error_is_classified_by_its_type(error, kind):
    assert kind_of(error) is kind


def test_a_missing_migration_names_the_command_to_run():
    with pytest.raises(SchemaMismatch, match="llm-observe migrate"), storage_errors():
        raise asyncpg.UndefinedTableError("SECRET")


@pytest.mark.parametrize("severity", ["FATAL", "PANIC"])
@pytest.mark.parametrize("state", ["22003", "XX000", "57P03"])
def test_an_error_that_ends_the_connection_is_an_outage(severity, state):
    """Poolers that reach no server report FATAL XX000."""
    error = asyncpg.PostgresError.new({"S": severity, "V": severity, "C": state, "M": "SECRET"})
    assert kind_of(error) is StorageUnavailable
