"""Output of commands: tables on a terminal, tab-separated lines in a pipe, progress on stderr."""

from __future__ import annotations

import json
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_MAX_WIDTH: Final = 200
_NUMBER: Final = re.compile(r"-?[\d,]+(\.\d+)?(e[+-]?\d+)?")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> None:
    """Print rows to stdout.

    A terminal gets a table that wraps between words. A pipe or a file gets a line per row without a header,
    its values whole and separated by tabs.
    """
    rows = list(rows)
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(map(_printable, row)))
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        values = [row[index] for row in rows]
        numeric = all(isinstance(value, int) or _NUMBER.fullmatch(value) for value in values if value != "")
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        # An id stays in one piece, so that it can be copied.
        if not any(" " in str(value) for value in values):
            table.columns[-1].no_wrap = True
            table.columns[-1].min_width = max(map(cell_len, (column, *map(_printable, values))))
    for row in rows:
        table.add_row(*(Text(_printable(value)) for value in row))
    console = Console()
    wide = console.options.update(max_width=_MAX_WIDTH)
    console.width = max(console.width, console.measure(table, options=wide).minimum)
    console.print(table)


def printable_lines(text: str) -> str:
    """Return lines in which nothing commands a terminal."""
    return "\n".join(map(_printable, text.split("\n")))


def printable_json(text: str) -> str:
    """Return JSON of the same values in which nothing commands a terminal."""
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def _printable(value: str | int) -> str:
    """Return a value as text in which nothing commands a terminal or ends a field."""
    return "".join(char if char.isprintable() else " " for char in str(value))


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Callable[[int, int | None], None]]:
    """Show progress on stderr while the context lasts, if that is a terminal.

    Yields:
        A function that takes how many are done and, when it is known by now, how many there are.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=total)

        def update(done: int, total: int | None = None) -> None:
            bar.update(task, completed=done, total=total)

        yield update
