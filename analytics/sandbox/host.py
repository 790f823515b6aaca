"""Program that waits for queries and forks a process for each.

It has loaded DuckDB and Arrow but never opened either, so that forks are cheap and safe. It starts with an
empty environment, and its forks never return to it: nothing of a query is left for the next. It ends with its
parent. Arguments: descriptor of the socket to the server, the server's PID, account of queries if it is root.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.ipc

from analytics.sandbox.answer import frames
from analytics.sandbox.confinement import confine, die_with_parent, raise_open_files_limit
from analytics.sandbox.duckdb_errors import RELATION_LINES, explain
from analytics.sandbox.engine import connect
from analytics.sandbox.errors import SandboxError, SourceUnavailable, SqlLimitExceeded
from analytics.sandbox.hour_files import open_files
from analytics.sandbox.statements import check_statement
from analytics.sandbox.wire import ERROR, EXIT, RUN, frame, pack_error, read_query

if TYPE_CHECKING:
    from analytics.sandbox.query import Query

_LOADED = (pyarrow.dataset, pyarrow.ipc)
"""Imported here, because a confined process cannot open their files."""


def main() -> None:
    """Serve until the server closes its end."""
    control = socket.socket(fileno=int(sys.argv[1]))
    die_with_parent(int(sys.argv[2]))
    raise_open_files_limit()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 2)
        if not message:
            return
        if message == RUN:  # a request to kill what has ended comes too late
            _host(control, *descriptors, user=sys.argv[3])


def _host(control: socket.socket, request: int, answer: int, *, user: str) -> None:
    """Fork, wait for the end or for a request to kill, and report how it ended."""
    ended, lifeline = os.pipe()  # its other end is held by the fork alone
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        control.close()
        os.close(ended)
        _run_and_exit(request, answer, user, parent)
    for descriptor in (request, answer, lifeline):
        os.close(descriptor)
    _wait(control, ended, child)
    os.close(ended)
    _, status, usage = os.wait4(child, 0)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    control.sendall(EXIT.pack(status, usage.ru_utime + usage.ru_stime, peak))


def _wait(control: socket.socket, ended: int, child: int) -> None:
    """Return when the fork has ended; kill it when the server says so, or is gone."""
    with selectors.DefaultSelector() as selector:
        selector.register(ended, selectors.EVENT_READ)
        selector.register(control, selectors.EVENT_READ)
        while ended not in {key.fd for key, _ in selector.select()}:
            os.kill(child, signal.SIGKILL)
            if not control.recv(1):
                sys.exit()


def _run_and_exit(request: int, answer: int, user: str, parent: int) -> NoReturn:
    code = 1
    try:
        die_with_parent(parent)
        _answer(request, answer, user, parent)
        code = 0
    except BrokenPipeError:  # nobody reads the answer any more
        code = 0
    except BaseException:  # noqa: BLE001 - a fork must never return into the host's loop
        traceback.print_exc()
    finally:
        os._exit(code)


def _answer(request: int, answer: int, user: str, parent: int) -> None:
    try:
        with open(request, "rb") as file:
            query = read_query(file)
        connection = _prepare(query)
        _silence()
        confine(query.limits, user, parent)
        _run(connection, query, answer)
    except SandboxError as error:
        _send(answer, frame(ERROR, pack_error(error)))


def _prepare(query: Query) -> duckdb.DuckDBPyConnection:
    """Open the files and the database. No SQL of users has run; whatever fails is no fault of theirs."""
    try:
        return connect(query, open_files(query.source))
    except (duckdb.Error, pa.ArrowException) as error:
        reason = explain(error)
        if isinstance(reason, SqlLimitExceeded | SourceUnavailable):
            raise reason from None
        raise SourceUnavailable(f"The logs cannot be read: {reason.sentence}") from None


def _silence() -> None:
    """What a library prints while SQL of users runs may quote logs."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)


def _run(connection: duckdb.DuckDBPyConnection, query: Query, answer: int) -> None:
    lines_before = 0
    try:
        statement = check_statement(connection, query.sql, trusted=query.trusted)
        relation = connection.sql(statement, params=dict(query.parameters) or None)
        lines_before = RELATION_LINES
        for data in frames(relation, query.limits):
            _send(answer, data)
    except (SandboxError, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - DuckDB's errors reach us as its own, Arrow's and Python's
        raise explain(error, lines_before) from None


def _send(answer: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(answer, view) :]


if __name__ == "__main__":
    main()
