"""`llm-observe logs`: what the processes of `llm-observe up` write."""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

import click

from stack.cli.output import printable
from stack.data_dir import DataDir
from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_POLL_S: Final = 0.25
_SUFFIXES: Final = frozenset({".log", ".out"})
"""Of what a process logs, and of what else it prints."""


def _complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the processes that have logs, for completion in a shell."""
    names = sorted({path.stem for path in _find_files()})
    return [name for name in names if name.startswith(incomplete)]


@click.command()
@click.argument("names", metavar="[PROCESS]...", nargs=-1, shell_complete=_complete)
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("-n", "--lines", default=20, show_default=True, type=click.IntRange(0), help="Of each file.")
def logs(*, names: Sequence[str], follow: bool, lines: int) -> None:
    """Show logs of processes that `up` started.

    Of all processes, or those named: app, postgres, scheduler, server, supervisor, valkey, worker. They are
    files in the data folder, which remain after `down`.
    """
    files = _choose(names)
    width = max(len(path.stem) for path in files)
    tails: dict[Path, _Tail] = {}
    with ExitStack() as opened:
        for path in files:
            tails[path] = opened.enter_context(closing(_Tail(path)))
            _show(path, tails[path].last(lines), width)
        while follow:
            time.sleep(_POLL_S)
            for path in _find_files(names):
                if path not in tails:
                    tails[path] = opened.enter_context(closing(_Tail(path)))
                _show(path, tails[path].read(), width)


def _choose(names: Sequence[str]) -> list[Path]:
    """Return the files of the named processes, or of all.

    Raises:
        StackError: There are none.
    """
    files = _find_files()
    if not files:
        raise StackError(f"no logs in {DataDir.from_env().logs}: start everything with `llm-observe up`")
    known = {path.stem for path in files}
    for name in names:
        if name not in known:
            raise StackError(f"no logs of {name}; there are logs of {', '.join(sorted(known))}")
    return _find_files(names)


def _find_files(names: Sequence[str] = ()) -> list[Path]:
    folder = DataDir.from_env().logs
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if path.suffix in _SUFFIXES and (not names or path.stem in names))


def _show(path: Path, lines: Iterable[str], width: int) -> None:
    for line in lines:
        click.echo(f"{path.stem:<{width}} | {printable(line)}")


@dataclass(slots=True)
class _Tail:
    """The end of a file that grows, and that is now and then replaced by a new one."""

    path: Path
    _file: IO[str] | None = None
    _partial: str = ""
    """The beginning of a line whose end is not written yet."""

    def last(self, count: int) -> list[str]:
        """Return the last lines, and go on after them."""
        return list(deque(self.read(), maxlen=count))

    def read(self) -> list[str]:
        """Return the lines that are new."""
        lines = self._drain()
        if self._was_replaced():
            self.close()
            lines += self._drain()
        return lines

    def _drain(self) -> list[str]:
        if self._file is None:
            try:
                self._file = self.path.open(encoding="utf-8", errors="replace", newline="\n")
            except FileNotFoundError:  # between two names
                return []
        *lines, self._partial = (self._partial + self._file.read()).split("\n")
        return lines

    def _was_replaced(self) -> bool:
        if self._file is None:
            return False
        opened = os.fstat(self._file.fileno())
        try:
            now = self.path.stat()
        except FileNotFoundError:
            return False
        return now.st_ino != opened.st_ino or now.st_size < self._file.tell()

    def close(self) -> None:
        """Close the file; reading opens it again, from its start."""
        if self._file is not None:
            self._file.close()
        self._file, self._partial = None, ""
