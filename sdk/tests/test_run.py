"""``python -m llm_observe run`` instruments a program, and its children, without a change to them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from collector import PROGRAM_SETTINGS, WAIT_S, Collector, running_collector
from llm_observe import __main__, _instrument
from llm_observe._startup import sitecustomize

PROGRAM = """
import multiprocessing, os, subprocess, sys

def call(model):
    import httpx2, openai
    answer = {"id": "c", "object": "chat.completion", "created": 1, "model": model, "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}]}
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=answer))
    client = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport))
    client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hello"}])

if __name__ == "__main__":
    assert "llm_observe" not in sys.modules
    assert not [entry for entry in sys.path if entry.endswith("_startup")]
    call(sys.argv[1])
    if sys.argv[1] == "parent":
        subprocess.run([sys.executable, __file__, "subprocess"], check=True)
        worker = multiprocessing.get_context("spawn").Process(target=call, args=("spawned",))
        worker.start(); worker.join()
        if os.fork() == 0:
            call("forked")
            sys.exit()
        os.wait()
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    return Path(tmp_path)


def run(folder: Path, endpoint: str, *arguments: str, **environment: str) -> str:
    settings = {f"LLM_OBSERVE_{name.upper()}": value for name, value in PROGRAM_SETTINGS.items()}
    done = subprocess.run(
        [sys.executable, "-m", "llm_observe", "run", *arguments],
        cwd=folder,
        env={**os.environ, **settings, "LLM_OBSERVE_ENDPOINT": endpoint, **environment},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_program_and_its_children_are_recorded(collector, folder):
    run(folder, collector.endpoint, "program.py", "parent")
    assert sorted(collector.wait_for(4)) == ["forked", "parent", "spawned", "subprocess"]


def test_a_module_is_recorded_and_the_others_startup_still_runs(collector, folder):
    (folder / "sitecustomize.py").write_text("print('theirs')")
    printed = run(folder, collector.endpoint, "-m", "program", "module", PYTHONPATH=str(folder))
    assert collector.wait_for(1) == ["module"]
    assert printed == "theirs\n" * 2  # before it is replaced by the program, and after


def test_a_command_is_run_as_it_is(folder):
    command = folder / "greet"
    command.write_text('#!/bin/sh\necho "$1" "$PYTHONPATH"\n')
    command.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    printed = run(folder, "127.0.0.1:1", "greet", "hello", PATH=path, PYTHONPATH="theirs")
    startup = Path(sitecustomize.__file__).parent
    assert printed == f"hello {startup}{os.pathsep}theirs\n"


def test_a_program_without_a_vendor_loads_nothing_of_ours(folder):
    code = "import sys, json; print([name for name in sys.modules if 'llm_observe' in name])"
    assert run(folder, "127.0.0.1:1", "-c", code) == "[]\n"


@pytest.mark.parametrize("fault", ["ImportError", "SyntaxError", "TypeError"])
def test_a_child_that_cannot_import_the_sdk_runs(folder, fault):
    """As in another environment, with an older Python or older packages."""
    (folder / "llm_observe").mkdir()
    (folder / "llm_observe" / "__init__.py").write_text(f"raise {fault}('no')")
    startup = Path(sitecustomize.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", "import openai; print('goes on')"],
        env={**os.environ, "PYTHONPATH": f"{startup}{os.pathsep}{folder}"},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("goes on\n", "")


@pytest.mark.parametrize("arguments", [[], ["run"], ["walk", "program.py"]])
def test_other_arguments_print_the_usage(arguments, capsys):
    assert __main__.main(arguments) == 2
    assert "llm_observe run app.py" in capsys.readouterr().err


def test_both_know_the_same_vendors():
    assert sitecustomize._VENDORS == _instrument.VENDORS


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent is not installed")
def test_a_program_that_gevent_patches_is_recorded_and_its_greenlets_run(collector, folder):
    (folder / "greenlets.py").write_text(
        "from gevent import monkey; monkey.patch_all()\n"
        "import sys\n"
        "assert 'llm_observe' not in sys.modules\n"
        "import gevent\n"
        "from program import call\n"
        "started = [gevent.spawn(call, f'greenlet {number}') for number in range(3)]\n"
        "gevent.joinall(started, raise_error=True)\n"
        "assert {'openai', 'llm_observe'} <= set(sys.modules)\n"
        "assert monkey.is_module_patched('threading')\n"
    )
    run(folder, collector.endpoint, "greenlets.py")
    assert sorted(collector.wait_for(3)) == [f"greenlet {number}" for number in range(3)]
