"""Output of commands: JSON, or tables on a terminal and tab-separated lines in a pipe; hints on stderr."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from stack.cli.program import name_program
from stack.cli.to_json import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_Item = TypeVar("_Item")

_MAX_WIDTH: Final = 200
_NUMBER: Final = re.compile(r"-?[\d,]+(\.\d+)?(e[+-]?\d+)?")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_items(
    items: Iterable[_Item],
    columns: Sequence[str],
    row: Callable[[_Item], Sequence[str | int]],
    *,
    as_json: bool,
    nothing: str = "there are none",
    whole: Callable[[_Item], object] = lambda item: item,
) -> None:
    """Print items as a JSON array of what ``whole`` returns of each, or else as a table of their rows.

    Where there are none, a person is told ``nothing``.
    """
    items = list(items)
    if as_json:
        print_json(list(map(whole, items)))
    elif items:
        print_table(columns, map(row, items))
    else:
        hint(nothing)


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print a value to stdout; see to_json()."""
    click.echo(to_json(value, indent=indent))


def print_fields(fields: Iterable[tuple[str, str | int]]) -> None:
    """Print names and values in two columns."""
    fields = list(fields)
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        click.echo(f"{name:<{width}}  {printable(value)}")


def hint(text: str) -> None:
    """Print advice to stderr; ``llm-observe ...`` in backticks becomes a command that can be pasted."""
    click.echo(printable_lines(name_program(text)), err=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> None:
    """Print rows to stdout.

    A terminal gets a table that wraps between words. A pipe or a file gets a line per row without a header,
    its values whole and separated by tabs.
    """
    rows = list(rows)
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(map(printable, row)))
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        values = [row[index] for row in rows]
        numeric = all(isinstance(value, int) or _NUMBER.fullmatch(value) for value in values if value != "")
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        # An id stays in one piece, so that it can be copied.
        if not any(" " in str(value) for value in values):
            table.columns[-1].no_wrap = True
            table.columns[-1].min_width = max(map(cell_len, (column, *map(printable, values))))
    for row in rows:
        table.add_row(*(Text(printable(value)) for value in row))
    console = Console()
    wide = console.options.update(max_width=_MAX_WIDTH)
    console.width = max(console.width, console.measure(table, options=wide).minimum)
    console.print(table)


def printable_lines(text: str) -> str:
    """Return lines in which nothing commands a terminal."""
    return "\n".join(map(printable, text.split("\n")))


def printable(value: str | int) -> str:
    """Return a value as text in which nothing commands a terminal or ends a field."""
    return "".join(char if char.isprintable() else " " for char in str(value))


class ReportProgress(Protocol):
    """See progress()."""

    def __call__(self, done: int, total: int | None = None, description: str | None = None, /) -> None:
        """Show how far it is."""


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[ReportProgress]:
    """Show progress on stderr while the context lasts, if that is a terminal.

    Yields:
        A function that takes how many are done and, when it is known by now, how many there are; and another
        description, when something else is done now.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=total)

        def update(done: int, total: int | None = None, description: str | None = None) -> None:
            bar.update(task, completed=done, total=total, description=description)

        yield update


@contextmanager
def reporting() -> Iterator[Callable[[str, int], None]]:
    """Show progress; yields what takes the name of a step, and how many of its rows or files are done."""
    with progress("") as update:
        yield lambda step, done: update(done, None, step)
