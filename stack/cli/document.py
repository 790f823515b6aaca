"""Writes docs/cli.md from the commands: ``python -m stack.cli.document``."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from stack.cli.main import cli
from stack.cli.program import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH: Final = Path(__file__).parents[2] / "docs" / "cli.md"
_INTRODUCTION: Final = """\
# The command line

Made by `make docs` from `stack/cli`; do not edit. After `make run` the command is
`.venv/bin/llm-observe`; in the images it is on PATH.

**Which server.** Commands that ask a server use `LLM_OBSERVE_ENDPOINT`, or else the one that runs from
the data folder (`LLM_OBSERVE_HOME`), or else `LLM_OBSERVE_GRPC_PORT` on this machine. Where none of
these names one they fail: what listens at the usual port may be somebody else's. On a terminal they say
which server it is. They send `LLM_OBSERVE_API_KEY` and use the `LLM_OBSERVE_TLS` variables. `projects`,
`keys`, `rollups`, `reprice`, `migrate` and `demo-traffic --remove` work on the database instead:
`DATABASE_URL`, or else the one that runs from the data folder.

**Output.** A terminal gets tables; a pipe gets a line per row, values separated by tabs. Commands that
list or show something take `--json`: fields are named as in the proto, counts are numbers, times are ISO
8601 in UTC, durations seconds such as `"0.0016s"`; what is unknown is absent. Advice and progress go to
stderr.

**Exit status.** 0 for success, 1 for a failure, whose message says what to do, 2 for wrong usage, 130
after Ctrl-C. `status` has 0 for healthy, 3 for degraded, 1 for down.
"""


def document() -> str:
    """Return the page."""
    return "\n".join((_INTRODUCTION, *_sections(cli, (NAME,))))


def _sections(group: click.Group, words: tuple[str, ...]) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        group_alone = isinstance(command, click.Group) and not command.invoke_without_command
        if not group_alone:
            yield _section(command, (*words, name))
        if isinstance(command, click.Group):
            yield from _sections(command, (*words, name))


def _section(command: click.Command, words: tuple[str, ...]) -> str:
    usage = " ".join((*words, *command.collect_usage_pieces(click.Context(command))))
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    lines = [f"## {' '.join(words[1:])}", "", f"```sh\n{usage}\n```", "", text, ""]
    options = [option for option in command.params if isinstance(option, click.Option)]
    if options:
        lines += ["| option | meaning |", "|---|---|", *map(_row, options), ""]
    return "\n".join(lines)


def _row(option: click.Option) -> str:
    record = option.get_help_record(click.Context(click.Command(""))) or ("", "")
    name, meaning = (text.strip().replace("|", "\\|") for text in record)
    return f"| `{name}` | {meaning} |"


if __name__ == "__main__":
    PATH.write_text(document())
