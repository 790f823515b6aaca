"""Tables for people on a terminal, complete values for programs in a pipe."""

from __future__ import annotations

import io
import json
import re
import sys

import click
import pytest
from click.testing import CliRunner

from stack.cli.main import cli, main
from stack.cli.output import print_items, print_table, progress
from stack.cli.program import program
from stack.cli.to_json import to_json
from stack.errors import StackError
from tests.support.text_fields import HOSTILE

ID = "0198a1b2-0000-7000-8000-000000000000"
LISTS = {"list", "show", "verify", "status", "doctor", "ledger", "alerts rules test", "report", "sql"}
LONG = "word " * 30
ROWS = [(ID, 1, "active", LONG), ("[red]b[/red]", 20, "revoked", "x\ty\nz"), ("\x1b[31mc", 300, "", "")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(stream: io.StringIO, monkeypatch) -> str:
    monkeypatch.setattr(sys, "stdout", stream)
    print_table(("id", "count", "state of the key", "message"), ROWS)
    return stream.getvalue()


def test_a_pipe_gets_one_line_per_row_with_complete_values(monkeypatch):
    text = printed(io.StringIO(), monkeypatch)
    lines = [line.split("\t") for line in text.splitlines()]
    assert lines == [
        [ID, "1", "active", LONG],
        ["[red]b[/red]", "20", "revoked", "x y z"],
        [" [31mc", "300", "", ""],
    ]


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_a_terminal_gets_a_table_with_complete_values(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm")
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed(Terminal(), monkeypatch))
    assert "count" in text
    assert "…" not in text
    for value in (ID, "state of the key", "active", "revoked", "[red]b[/red]", "300"):
        assert value in text
    assert text.count("word") == 30
    assert "\x1b" not in text  # escape sequences in values are removed
    assert max(map(len, text.splitlines())) <= max(int(columns), 85)


@pytest.mark.parametrize("kind", HOSTILE)
def test_json_holds_the_same_and_commands_no_terminal(kind):
    shown = to_json({"a": HOSTILE[kind]})
    assert json.loads(shown) == {"a": HOSTILE[kind]}
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_an_errors_text_commands_no_terminal(monkeypatch, capsys):
    def fail(**_: object) -> None:
        raise StackError("refused:\n\x1b[2J\x9b31m\u202e")

    monkeypatch.setattr("stack.cli.main.cli", fail)
    assert main() == 1
    assert capsys.readouterr().err == "llm-observe: refused:\n [2J 31m \n"


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_progress_is_shown_only_on_terminals(monkeypatch, stream):
    monkeypatch.setenv("TERM", "xterm")
    stderr = stream()
    monkeypatch.setattr(sys, "stderr", stderr)
    with progress("working") as update:
        update(3, 7)
    assert ("3/7" in stderr.getvalue()) is (stream is Terminal)


def test_the_version_is_printed():
    shown = CliRunner().invoke(cli, ["--version"]).output
    assert re.fullmatch(r"llm-observe, version \d+\.\d+\.\d+\n", shown)


def _commands(command, words=()):
    yield words, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, (*words, name))


COMMANDS = [pytest.param(*found, id=" ".join(found[0]) or "-") for found in _commands(cli)]


@pytest.mark.parametrize(("words", "command"), COMMANDS)
def test_helps_are_short_and_whole(words, command):
    lines = CliRunner().invoke(cli, [*words, "--help"]).output.splitlines()
    assert not [line for line in lines if line.startswith("  ") and line.endswith("...")]
    assert not words or len(command.get_short_help_str(1000)) <= 45
    assert all(option.help for option in command.params if isinstance(option, click.Option))


@pytest.mark.parametrize(("words", "command"), COMMANDS)
def test_what_lists_or_shows_takes_json(words, command):
    if words and (words[-1] in LISTS or " ".join(words) in LISTS):
        assert "--json" in {name for parameter in command.params for name in parameter.opts}


def test_json_is_whole_and_commands_no_terminal(capsys):
    print_items([{"id": ID, "text": "x\ty\x1b[31m\x9b\u202e\U000e0001 日本"}], (), str, as_json=True)
    printed = capsys.readouterr().out
    assert json.loads(printed) == [{"id": ID, "text": "x\ty\x1b[31m\x9b\u202e\U000e0001 日本"}]
    assert all(char == "\n" or char.isprintable() for char in printed)
    assert "日本" in printed


def test_of_nothing_json_is_an_empty_list_and_a_person_is_told(capsys):
    print_items([], ("id",), str, as_json=True, nothing="no keys")
    assert capsys.readouterr() == ("[]\n", "")
    print_items([], ("id",), str, as_json=False, nothing="no keys: `llm-observe keys create` makes one")
    assert capsys.readouterr() == ("", f"no keys: `{program()} keys create` makes one\n")
