"""docs/cli.md is made from the commands, and documents name no command or option that is not there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from stack.cli.document import PATH, document
from stack.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
    if path.name not in {"CHANGELOG.md", "cli.md"}
)
_FENCED = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`llm-observe ([^`]+)`")
_CALL = re.compile(r"(?:^|(?<!-n)[\s/])llm-observe ((?:[a-z]|--)[^#\n|]*)", re.MULTILINE)


def test_the_page_is_fresh():
    assert PATH.read_text() == document(), "run `make docs`"


def test_the_page_has_every_command():
    text = PATH.read_text()
    for words in commands(cli):
        assert f"\n## {words}\n" in text


def commands(group: click.Group, prefix: str = "") -> list[str]:
    names: list[str] = []
    for name, command in group.commands.items():
        names += (
            commands(command, f"{prefix}{name} ") if isinstance(command, click.Group) else [f"{prefix}{name}"]
        )
    return names


def calls_of(path: Path) -> list[str]:
    """Return what a page calls the command with."""
    text = path.read_text()
    indented = "\n".join(re.findall(r"^    (.*llm-observe .*)$", text, re.MULTILINE))
    blocks = "\n".join((*_FENCED.findall(text), indented))
    return sorted({*_INLINE.findall(text), *(call.strip() for call in _CALL.findall(blocks))})


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_documented_calls_are_there(path):
    for call in calls_of(path):
        words = shlex.split(call.replace("<", "'<").replace(">", ">'"))
        command: click.Command = cli
        while words and isinstance(command, click.Group) and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert command is not cli, call
        known = {name for parameter in command.params for name in parameter.opts}
        options = {word.split("=")[0] for word in words if word.startswith("--")}
        assert options <= known, call
