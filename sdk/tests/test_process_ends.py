"""Logs of worker processes and servers arrive, in every way such a process ends."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from collector import WAIT_S, Collector, run, running_collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


def environment(collector: Collector) -> dict[str, str]:
    return {
        **os.environ,
        "LLM_OBSERVE_ENDPOINT": collector.endpoint,
        "LLM_OBSERVE_EXIT_TIMEOUT_S": str(WAIT_S),
    }


def needs(package: str) -> Any:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


POOLS = {
    "Pool that is terminated": "with multiprocessing.Pool(2) as pool: pool.map(work, range(10))",
    "Pool that is closed": (
        "pool = multiprocessing.Pool(2); pool.map(work, range(10)); pool.close(); pool.join()"
    ),
    "Pool of spawned processes": (
        "with multiprocessing.get_context('spawn').Pool(2) as pool: pool.map(work, range(10))"
    ),
    "Pool with few tasks a child": (
        "with multiprocessing.Pool(2, maxtasksperchild=2) as pool: pool.map(work, range(10), chunksize=1)"
    ),
    "ProcessPoolExecutor": (
        "with concurrent.futures.ProcessPoolExecutor(2) as pool: list(pool.map(work, range(10)))"
    ),
}


@pytest.mark.parametrize("parent", ["", "llm_observe.log(provider='p', model='parent')"])
@pytest.mark.parametrize("pool", POOLS)
def test_every_log_of_a_pools_workers_arrives(collector, tmp_path, pool, parent):
    program = tmp_path / "program.py"
    program.write_text(
        "import concurrent.futures, multiprocessing, llm_observe\n"
        "def work(number): llm_observe.log(provider='p', model=f'task {number}')\n"
        f"if __name__ == '__main__':\n    {parent or 'pass'}\n    {POOLS[pool]}\n"
    )
    subprocess.run([sys.executable, program], env=environment(collector), timeout=WAIT_S, check=True)
    tasks = [model for model in collector.models if model != "parent"]
    assert sorted(tasks) == [f"task {number}" for number in range(10)]


def test_a_signal_during_the_flush_at_exit_waits_for_it(collector):
    """The exporter sends the signal itself, so that it comes in the middle of the flush."""
    code = """
    class Exporter:
        def export(self, request, timeout_s):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.2)
            print(len(request.logs), flush=True)
            return llm_observe.ExportResult(accepted=len(request.logs))
    llm_observe.configure(exporter=Exporter(), batch_delay_s=600)
    log()
    """
    process = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        env=environment(collector),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert (process.stdout, process.stderr, process.returncode) == ("1\n", "", -signal.SIGTERM)


PRELUDE = (
    "import os, signal, sys, threading, time, llm_observe\n"
    "def log(model='m'): llm_observe.log(provider='p', model=model)\n"
)
RESTORED = {
    "by signal.signal()": "signal.signal(signal.SIGTERM, signal.SIG_DFL)",
    "by the event loop": (
        "import asyncio; loop = asyncio.new_event_loop()\n"
        "loop.add_signal_handler(signal.SIGTERM, print); loop.remove_signal_handler(signal.SIGTERM)"
    ),
}


@pytest.mark.parametrize(
    "first_use", ["log('first')", "t = threading.Thread(target=log); t.start(); t.join()"]
)
@pytest.mark.parametrize("way", RESTORED)
def test_a_server_that_restores_the_default_handler_and_dies_by_it(collector, way, first_use):
    code = (
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        f"import threading\n{first_use}\n{RESTORED[way]}\n"
        "log('last'); signal.raise_signal(signal.SIGTERM); time.sleep(3600)\n"
    )
    assert run(code, collector.endpoint, batch_delay_s="600") == (-signal.SIGTERM, "")
    assert collector.models[-1] == "last"
    assert len(collector.models) == 2


def test_a_handler_of_the_application_is_kept(collector):
    code = (
        "log('first')\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('mine', flush=True))\n"
        "os.kill(os.getpid(), signal.SIGTERM); log('last')\n"
    )
    assert run(code, collector.endpoint) == (0, "")
    assert collector.models == ["first", "last"]


WSGI = """
import llm_observe
def app(environ, start_response):
    llm_observe.log(provider='p', model='request')
    start_response('200 OK', [('content-type', 'text/plain')])
    return [b'ok']
"""
ASGI = """
import asyncio, llm_observe
async def app(scope, receive, send):
    if scope['type'] != 'http':
        return
    HOW
    await send({'type': 'http.response.start', 'status': 200, 'headers': []})
    await send({'type': 'http.response.body', 'body': b'ok'})
"""
LOG = "llm_observe.log(provider='p', model='request')"
IN_THREAD = "await asyncio.to_thread(llm_observe.log, provider='p', model='request')"
SERVERS: dict[str, Any] = {
    "gunicorn sync": (WSGI, "gunicorn --workers 2 --bind {address} shop:app", ""),
    "gunicorn gthread": (WSGI, "gunicorn --worker-class gthread --threads 4 --bind {address} shop:app", ""),
    "gunicorn gevent": (WSGI, "gunicorn --worker-class gevent --bind {address} shop:app", "gevent"),
    "uvicorn": (ASGI.replace("HOW", LOG), "uvicorn shop:app --lifespan off --port {port}", ""),
    "uvicorn in a thread": (
        ASGI.replace("HOW", IN_THREAD),
        "uvicorn shop:app --lifespan off --port {port}",
        "",
    ),
    "uvicorn with workers": (
        ASGI.replace("HOW", LOG),
        "uvicorn shop:app --lifespan off --workers 2 --port {port}",
        "",
    ),
    "uvicorn with reload": (
        ASGI.replace("HOW", LOG),
        "uvicorn shop:app --lifespan off --reload --port {port}",
        "",
    ),
}


@pytest.mark.parametrize(
    "server",
    [pytest.param(name, marks=needs(SERVERS[name][2]) if SERVERS[name][2] else ()) for name in SERVERS],
)
def test_a_server_that_is_terminated_sends_what_was_logged_last(collector, tmp_path, server):
    code, command, _ = SERVERS[server]
    (tmp_path / "shop.py").write_text(code)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = command.format(address=f"127.0.0.1:{port}", port=port).split()
    # A long delay: what is logged is sent by the end of the process or not at all.
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        env={**environment(collector), "LLM_OBSERVE_BATCH_DELAY_S": "600"},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(5):
            request(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(WAIT_S)
    assert collector.wait_for(5) == ["request"] * 5


def request(url: str) -> None:
    """Make a request as soon as the server accepts it."""
    while True:
        try:
            with urllib.request.urlopen(url, timeout=WAIT_S) as answer:  # noqa: S310 - a server of ours
                answer.read()
        except OSError:
            time.sleep(0.1)
        else:
            return


@needs("celery")
@pytest.mark.parametrize("warm", [True, False], ids=["warm shutdown", "cold shutdown"])
def test_celerys_prefork_workers_send_their_logs(collector, tmp_path, warm):
    (tmp_path / "tasks.py").write_text(
        "import celery, llm_observe\n"
        "app = celery.Celery(broker='filesystem://')\n"
        "folder = __file__.rpartition('/')[0] + '/queue'\n"
        "app.conf.broker_transport_options = {'data_folder_in': folder, 'data_folder_out': folder}\n"
        "@app.task\n"
        "def work(number):\n"
        "    llm_observe.log(provider='p', model=f'task {number}')\n"
        "    open(f'{folder}/../done {number}', 'w').close()\n"
    )
    (tmp_path / "queue").mkdir()
    env = {**environment(collector), "LLM_OBSERVE_BATCH_DELAY_S": "600"}
    send = "import tasks; [tasks.work.delay(number) for number in range(6)]"
    subprocess.run([sys.executable, "-c", send], env=env, cwd=tmp_path, check=True, timeout=WAIT_S)
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c", "2", "-P", "prefork"],
        env=env,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for_files(tmp_path, 6)
    worker.send_signal(signal.SIGTERM if warm else signal.SIGQUIT)
    worker.wait(WAIT_S)
    assert sorted(collector.wait_for(6)) == [f"task {number}" for number in range(6)]


def wait_for_files(folder: Path, count: int) -> None:
    while len(list(folder.glob("done *"))) < count:
        time.sleep(0.1)


@needs("gevent")
def test_a_collector_that_never_answers_stops_no_greenlet():
    code = """
    from gevent import monkey; monkey.patch_all()
    import gevent, llm_observe, sys
    llm_observe.configure(
        endpoint=sys.argv[1], batch_delay_s=0.01, export_timeout_s=20, exit_timeout_s=0.1
    )
    llm_observe.log(provider='p', model='m')
    # The sender waits for an answer for 20 seconds; other greenlets run meanwhile.
    steps = 0
    with gevent.Timeout(15, False):
        while steps < 20:
            gevent.sleep(0.1); steps += 1
    print(steps)
    """
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        endpoint = f"127.0.0.1:{black_hole.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), endpoint],
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
    assert done.stdout == "20\n"
