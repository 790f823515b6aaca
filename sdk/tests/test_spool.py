"""The spool is redacted and bounded, a folder has one owner, and the next process sends it after kill -9."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from collector import WAIT_S, running_collector, start
from llm_observe._spool import Spool

UNREACHABLE = "127.0.0.1:9"
DEFINE_WAIT = (
    "from pathlib import Path\n"
    "def wait_for(count):\n"
    "    'Wait until count logs are in the spool.'\n"
    "    folder = Path(os.environ['LLM_OBSERVE_SPOOL_DIR'])\n"
    # Not in a folder that is hidden: it is renamed, perhaps while glob() is about to look into it.
    "    while sum(int(path.stem.split('-')[1]) for path in folder.glob('[!.]*/*.batch')) < count:\n"
    "        time.sleep(0.01)\n"
)
LOG_AND_DIE = DEFINE_WAIT + (
    "[log(f'model {number}') for number in range(5)]\n"
    "llm_observe.log(provider='p', model='secret', input_text='mail bob' + '@example.com')\n"
    "wait_for(6)\n"
    "os.kill(os.getpid(), signal.SIGKILL)\n"
)


def log_and_die(spool: Path, **settings: str) -> None:
    process = start(LOG_AND_DIE, UNREACHABLE, spool_dir=str(spool), batch_delay_s="0.05", **settings)
    process.communicate(timeout=WAIT_S)
    assert process.returncode == -signal.SIGKILL


@pytest.fixture
def spools() -> Iterator[list[Spool]]:
    opened: list[Spool] = []
    yield opened
    for spool in opened:
        spool.close()


def test_logs_of_a_killed_process_are_sent_by_the_next_one(tmp_path):
    log_and_die(tmp_path)
    files = list(tmp_path.glob("*/*.batch"))
    assert files
    assert all(b"bob@" not in path.read_bytes() for path in files)
    with running_collector() as collector:
        process = start(
            "log('alive'); sys.stdin.readline()",
            collector.endpoint,
            spool_dir=str(tmp_path),
            batch_delay_s="0.05",
        )
        models = collector.wait_for(7)
        process.communicate("\n", timeout=WAIT_S)
    assert sorted(models) == ["alive", *(f"model {number}" for number in range(5)), "secret"]
    assert list(tmp_path.iterdir()) == []


def test_exit_keeps_unsent_logs_in_the_spool_and_reports_them(tmp_path):
    process = start(
        DEFINE_WAIT + "log(); log(); wait_for(2)",
        UNREACHABLE,
        spool_dir=str(tmp_path),
        exit_timeout_s="0.5",
    )
    _, errors = process.communicate(timeout=WAIT_S)
    assert errors == "llm_observe: 0 logs sent, 0 dropped, 2 kept in the spool\n"
    with running_collector() as collector:
        process = start("log()", collector.endpoint, spool_dir=str(tmp_path))
        _, errors = process.communicate(timeout=WAIT_S)
        assert (len(collector.models), errors) == (3, "")


def test_producer_counters_add_up_after_a_kill(tmp_path):
    log_and_die(tmp_path)
    with running_collector() as collector:
        process = start("log('alive')", collector.endpoint, spool_dir=str(tmp_path))
        process.communicate(timeout=WAIT_S)
        dead = [request for request in collector.requests if request.logs[0].model != "alive"]
    assert len({request.producer.producer_id for request in dead}) == 1
    assert max(request.producer.logged_count for request in dead) == sum(
        len(request.logs) for request in dead
    )


def test_the_spool_refuses_batches_beyond_its_size(tmp_path, spools):
    spool = Spool(tmp_path, "one", max_bytes=100)
    spools.append(spool)
    assert spool.put(b"x" * 60, number=1, count=3)
    assert not spool.put(b"x" * 60, number=2, count=4)
    assert spool.count() == 3
    batch = spool.oldest()
    assert batch is not None
    spool.remove(batch)
    assert spool.put(b"x" * 60, number=3, count=4)


def test_the_folder_of_a_running_process_is_not_adopted(tmp_path, spools):
    first, second = Spool(tmp_path, "one", 100), Spool(tmp_path, "two", 100)
    spools += [first, second]
    first.put(b"x", number=1, count=3)
    assert second.adopt() == 0
    first.forget()  # as the end of its process does
    assert second.adopt() == 3


def test_a_damaged_batch_is_counted_as_dropped(tmp_path):
    log_and_die(tmp_path)
    damaged = next(tmp_path.glob("*/*.batch"))
    damaged.write_bytes(damaged.read_bytes()[:-7])
    with running_collector() as collector:
        process = start(
            "log('alive'); print(llm_observe.flush(600))", collector.endpoint, spool_dir=str(tmp_path)
        )
        output, _ = process.communicate(timeout=WAIT_S)
        lost = int(damaged.stem.split("-")[1])
        assert f"dropped={lost}, pending=0" in output
        assert len(collector.models) == 7 - lost
        dropped = [dict(request.producer.dropped_counts) for request in collector.requests]
    assert {"spool_damaged": lost} in dropped or lost == 6


def test_logs_are_sent_when_the_spool_folder_cannot_be_created(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with running_collector() as collector:
        process = start("log()", collector.endpoint, spool_dir=str(blocked))
        process.communicate(timeout=WAIT_S)
        assert len(collector.models) == 1


def test_a_forked_child_does_not_touch_the_parents_spool(tmp_path):
    code = DEFINE_WAIT + (
        "log('parent'); wait_for(1)\n"
        "if os.fork() == 0:\n"
        "    log('child'); wait_for(2); os._exit(0)\n"
        "os.wait()\n"
    )
    process = start(code, UNREACHABLE, spool_dir=str(tmp_path), batch_delay_s="0.05", exit_timeout_s="0.5")
    _, errors = process.communicate(timeout=WAIT_S)
    assert len(list(tmp_path.glob("*/*.batch"))) == 2, errors
    with running_collector() as collector:
        process = start("log('next')", collector.endpoint, spool_dir=str(tmp_path))
        process.communicate(timeout=WAIT_S)
        assert sorted(collector.models) == ["child", "next", "parent"]


def test_spool_folders_are_private_to_their_user(tmp_path, spools):
    spools.append(Spool(tmp_path / "new", "one", 100))
    assert (tmp_path / "new" / "one").stat().st_mode & 0o077 == 0
