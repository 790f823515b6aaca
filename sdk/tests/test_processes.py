"""Logs of a process that ends, forks or is suspended arrive once, or their loss is reported."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest
from collector import WAIT_S, Collector, run, running_collector, start

LOG_100 = "[log() for _ in range(100)]\n"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


ENDINGS = {
    "normal exit": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "unhandled exception": ("raise RuntimeError", 1),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(3600)", -signal.SIGTERM),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_all_100_logs_arrive_however_the_process_ends(collector, ending):
    code, status = ENDINGS[ending]
    returned, errors = run(LOG_100 + code, collector.endpoint)
    assert (returned, len(collector.models)) == (status, 100)
    assert "llm_observe" not in errors


@pytest.mark.parametrize("ending", ENDINGS)
def test_logs_lost_to_a_black_hole_are_reported_once(black_hole, ending):
    code, status = ENDINGS[ending]
    returned, errors = run(LOG_100 + code, black_hole, exit_timeout_s="0.5")
    assert returned == status
    assert errors.count("llm_observe: 0 logs sent, 100 dropped\n") == 1
    assert errors.count("llm_observe") == 1


def test_an_application_keeps_its_own_sigterm_handler(collector):
    code = (
        "def stop(*_): log('last'); sys.exit(7)\n"
        "log('first'); signal.signal(signal.SIGTERM, stop); os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert run(code, collector.endpoint) == (7, "")
    assert collector.models == ["first", "last"]


def test_forked_workers_each_send_their_own_logs(collector):
    code = (
        "log('parent')\n"
        "for number in range(3):\n"
        "    if os.fork() == 0:\n"
        "        log(f'child {number}'); sys.exit(0)\n"
        "for _ in range(3): os.wait()\n"
        "log('parent again')\n"
    )
    assert run(code, collector.endpoint) == (0, "")
    assert sorted(collector.models) == ["child 0", "child 1", "child 2", "parent", "parent again"]
    producers = {request.producer.producer_id for request in collector.requests}
    assert len(producers) == 4


def test_a_stream_open_at_a_fork_is_logged_by_the_parent(collector):
    code = (
        "@llm_observe.observe(provider='p', model='stream')\n"
        "def ask():\n"
        "    yield 'a'\n"
        "    yield 'b'\n"
        "answer = ask(); next(answer)\n"
        "if os.fork() == 0:\n"
        "    del answer; log('child'); sys.exit(0)\n"
        "os.wait(); list(answer)\n"
    )
    assert run(code, collector.endpoint) == (0, "")
    assert sorted(collector.models) == ["child", "stream"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_workers_send_their_logs(collector, method, tmp_path):
    # A file, since spawn imports the main module again.
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, llm_observe\n"
        "def work(number):\n"
        "    llm_observe.log(provider='p', model=f'task {number}')\n"
        "if __name__ == '__main__':\n"
        "    llm_observe.log(provider='p', model='main')\n"
        f"    context = multiprocessing.get_context('{method}')\n"
        "    workers = [context.Process(target=work, args=(number,)) for number in range(3)]\n"
        "    [worker.start() for worker in workers]\n"
        "    [worker.join() for worker in workers]\n"
    )
    env = {**os.environ, "LLM_OBSERVE_ENDPOINT": collector.endpoint, "LLM_OBSERVE_EXIT_TIMEOUT_S": "600"}
    done = subprocess.run(
        [sys.executable, program], env=env, capture_output=True, text=True, timeout=WAIT_S, check=True
    )
    assert done.stderr == ""
    assert sorted(collector.models) == ["main", "task 0", "task 1", "task 2"]


def test_gunicorns_preforked_workers_send_their_logs(collector, tmp_path):
    (tmp_path / "shop.py").write_text(
        "import os, llm_observe\n"
        "llm_observe.log(provider='p', model='at import')\n"
        "def app(environ, start_response):\n"
        "    llm_observe.log(provider='p', model='request')\n"
        "    start_response('200 OK', [('content-type', 'text/plain')])\n"
        "    return [str(os.getpid()).encode()]\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--preload", "-w", "2", "-b", f"127.0.0.1:{port}", "shop:app"],
        env={**os.environ, "LLM_OBSERVE_ENDPOINT": collector.endpoint, "LLM_OBSERVE_EXIT_TIMEOUT_S": "600"},
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    try:
        answered = 0
        while answered < 20:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=WAIT_S) as answer:
                    answer.read()
                answered += 1
            except OSError:
                time.sleep(0.1)
    finally:
        server.terminate()
        server.wait(WAIT_S)
    assert sorted(collector.wait_for(21)) == ["at import"] + ["request"] * 20


def test_a_suspended_process_resumes_sending(collector):
    code = "log('before'); print('logged', flush=True); sys.stdin.readline(); log('after')\n"
    process = start(code, collector.endpoint, batch_delay_s="0.05")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate("\n", timeout=WAIT_S)
    assert errors == ""
    assert collector.models == ["before", "after"]


def test_threads_may_log_after_the_main_thread_ends(collector):
    code = (
        "import threading\n"
        "def work():\n"
        "    for _ in range(50): log('thread'); time.sleep(0.002)\n"
        "threading.Thread(target=work).start()\n"
    )
    assert run(code, collector.endpoint) == (0, "")
    assert collector.models.count("thread") == 50


def test_a_daemon_thread_logging_at_exit_prints_no_errors(collector):
    code = (
        "import threading\n"
        "def work():\n"
        "    while True: log(); time.sleep(0.001)\n"
        "threading.Thread(target=work, daemon=True).start(); time.sleep(0.1)\n"
    )
    returned, errors = run(code, collector.endpoint)
    # Logs after the last flush are lost and reported; nothing else is printed.
    assert returned == 0
    assert all(line.startswith("llm_observe: ") for line in errors.splitlines())
