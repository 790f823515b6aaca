"""How the database plans the queries of a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from storage.sql import load_queries

if TYPE_CHECKING:
    from storage.pool import Connection

_QUERIES: Final = load_queries(__file__)


async def plan_for_values(connection: Connection) -> None:
    """Have each query planned for its own values until the transaction ends.

    A plan for any values would keep conditions on filters that are not set, and could use no index for them.
    """
    await connection.fetch(_QUERIES["plan_for_values"])
