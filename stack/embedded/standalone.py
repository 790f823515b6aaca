"""The embedded PostgreSQL without the rest of the product, for commands that want nobody else in it."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from stack import processes
from stack.embedded.postgres import STOP_SIGNAL, EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack.data_dir import DataDir

_STOP_TIMEOUT_S: Final = 25.0


@contextmanager
def running_postgres(home: DataDir) -> Iterator[str]:
    """Run the Postgres of a data folder, which is made if it is missing; yields its URL.

    Raises:
        StackError: Something runs from the folder already, or Postgres does not start.
    """
    home.create()
    with home.lock():
        postgres = EmbeddedPostgres(home, processes.free_port())
        postgres.prepare()
        process = processes.start(
            postgres.command(),
            log=home.logs / "postgres.log",
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
            death_signal=STOP_SIGNAL,
            user=postgres.run_as,
        )
        try:
            asyncio.run(postgres.wait_ready())
            yield postgres.url
        finally:
            processes.stop(process, STOP_SIGNAL, _STOP_TIMEOUT_S)
