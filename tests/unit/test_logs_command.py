"""`llm-observe logs`: the ends of the processes' files, and what is written to them later."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest
from click.testing import CliRunner

from stack.cli.logs import _Tail
from stack.cli.main import cli
from stack.errors import StackError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(tmp_path))
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "worker.log").write_text("".join(f"line {number}\n" for number in range(50)))
    (logs / "worker.out").write_text("printed\n")
    (logs / "worker.log.1").write_text("older\n")
    (logs / "server.log").write_text("a\x1b[31mb\n")
    return logs


def lines(*words: str) -> list[str]:
    return CliRunner().invoke(cli, ["logs", *words]).stdout.splitlines()


def test_the_last_lines_of_every_file(folder):
    assert lines("-n", "2") == [
        "server | a [31mb",
        "worker | line 48",
        "worker | line 49",
        "worker | printed",
    ]


def test_of_named_processes(folder):
    assert lines("server") == ["server | a [31mb"]
    assert len(lines("worker")) == 21
    assert lines("worker", "server", "-n", "0") == []


def test_an_unknown_process_is_answered_with_those_there_are(folder):
    done = CliRunner().invoke(cli, ["logs", "wroker"])
    assert isinstance(done.exception, StackError)
    assert str(done.exception) == "no logs of wroker; there are logs of server, worker"


def test_following_shows_what_comes_until_ctrl_c(folder, monkeypatch):
    steps = iter(
        [
            lambda: append(folder / "worker.log", "half"),
            lambda: append(folder / "worker.log", " and whole\n"),
            lambda: append(folder / "scheduler.log", "new file\n"),
        ]
    )

    def step(seconds: float) -> None:
        action = next(steps, None)
        if action is None:
            raise KeyboardInterrupt
        action()

    monkeypatch.setattr("stack.cli.logs.time.sleep", step)
    done = CliRunner().invoke(cli, ["logs", "-f", "-n", "1"])
    assert done.stdout.splitlines() == [
        "server | a [31mb",
        "worker | line 49",
        "worker | printed",
        "worker | half and whole",
        "scheduler | new file",
    ]


@pytest.fixture
def closing_tail():
    with ExitStack() as opened:
        yield lambda path: opened.enter_context(closing(_Tail(path)))


def append(path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@pytest.mark.parametrize("rotation", ["renamed", "truncated"])
def test_a_file_that_is_replaced_is_read_on(tmp_path, rotation, closing_tail):
    path = tmp_path / "worker.log"
    path.write_text("first\n")
    tail = closing_tail(path)
    assert tail.last(5) == ["first"]
    append(path, "last of the old\n")
    if rotation == "renamed":
        path.rename(tmp_path / "worker.log.1")
        assert tail.read() == ["last of the old"]
        path.write_text("of the new\n")
        assert tail.read() == ["of the new"]
    else:
        assert tail.read() == ["last of the old"]
        path.write_text("new\n")
        assert tail.read() == ["new"]
