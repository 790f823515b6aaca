"""Which statements are accepted: exactly one SELECT. What it can reach, the engine and the system say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from duckdb import StatementType

from analytics.sandbox.errors import SqlFailed, SqlRefused

if TYPE_CHECKING:
    import duckdb

MAX_SQL_LENGTH: Final = 20_000
MAX_TRUSTED_SQL_LENGTH: Final = 200_000
_NOT_TEXT: Final = re.compile("[\\0\ud800-\udfff]")
_NOT_SELECT: Final = {
    StatementType.EXPLAIN: "EXPLAIN is not available, since EXPLAIN ANALYZE would run any statement. "
    "Send the SELECT itself.",
    StatementType.MULTI: "PIVOT needs its values by name, since it would otherwise create a type first: "
    "write PIVOT logs ON provider IN ('openai', 'anthropic') USING count(*).",
}


def check_statement(connection: duckdb.DuckDBPyConnection, sql: str, *, trusted: bool) -> duckdb.Statement:
    """Return the one statement of ``sql``.

    Raises:
        SqlRefused: It is not one SELECT, or too long.
        SqlFailed, duckdb.Error: It cannot be parsed.
    """
    limit = MAX_TRUSTED_SQL_LENGTH if trusted else MAX_SQL_LENGTH
    if len(sql) > limit:
        raise SqlRefused(
            "length", f"The statement has {len(sql):,} characters; at most {limit:,} are allowed."
        )
    if _NOT_TEXT.search(sql):
        raise SqlFailed("The statement holds a null character or half of a surrogate pair; remove it.")
    statements = connection.extract_statements(sql)
    if not statements:
        raise SqlRefused("empty", "There is no statement. Write one, such as SELECT count(*) FROM logs.")
    if len(statements) > 1:
        raise SqlRefused(
            "one-statement",
            f"There are {len(statements)} statements; send one at a time, without others after a semicolon.",
        )
    (statement,) = statements
    if statement.type is not StatementType.SELECT:
        raise SqlRefused("select-only", _NOT_SELECT.get(statement.type) or _explain(statement.type))
    return statement


def _explain(kind: StatementType) -> str:
    return (
        f"{kind.name.replace('_', ' ')} is not allowed: logs are read-only here. Send one SELECT statement."
    )
