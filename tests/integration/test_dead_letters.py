"""Dead letters are listed, shown, replayed and discarded by RPC and on the command line, without loss."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime

import grpc
import pytest
from click.testing import CliRunner
from google.protobuf.json_format import MessageToJson
from llm_observe.v1 import admin_service_pb2 as pb
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

from codec.batch import AcceptedBatch
from stack.cli.main import cli
from storage.dead_letters import NewDeadLetter, add_dead_letters
from storage.errors import StorageUnavailable
from storage.logs import count_logs, get_log
from tests.support.logs import make_log, make_request
from tests.support.rpc import info_of, stub
from tests.support.waiting import eventually
from worker.queue.message import pack, read_message, split_message
from worker.tasks.dead_letter_quota import DeadLetterQuota, TooManyDeadLetters

EARLY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def admin(channel):
    return stub(AdminServiceStub, channel)


def letter(*logs, reason: str = "failed:Boom", **fields) -> NewDeadLetter:
    payload = MessageToJson(make_request(*logs), preserving_proto_field_name=True)
    known = {
        "project_id": "default",
        "reason": reason,
        "message": "failed after 3 attempts",
        "log_id": "",
        "log_count": len(logs),
        "attempt_count": 3,
        "first_attempt_time": EARLY,
        "payload": payload,
        "producer_id": "p1",
        "dedup_key": uuid.uuid4().hex,
    }
    return NewDeadLetter(**{**known, **fields})


async def waiting(admin) -> list[pb.DeadLetter]:
    return list((await admin.ListDeadLetters(pb.ListDeadLettersRequest())).dead_letters)


async def test_dead_letters_are_paged_newest_first_and_filtered(admin, database):
    for number in range(5):
        await add_dead_letters(database, [letter(make_log(), reason=f"r{number % 2}")])
    first = await admin.ListDeadLetters(pb.ListDeadLettersRequest(page_size=3))
    again = pb.ListDeadLettersRequest(page_size=3, page_token=first.next_page_token)
    second = await admin.ListDeadLetters(again)
    found = [*first.dead_letters, *second.dead_letters]
    assert [letter.reason for letter in found] == ["r0", "r1", "r0", "r1", "r0"]
    assert second.next_page_token == ""
    assert all(not letter.payload_json for letter in found)
    only = pb.ListDeadLettersRequest(filter=pb.DeadLetterFilter(reason="r1"))
    assert len((await admin.ListDeadLetters(only)).dead_letters) == 2


async def test_a_dead_letter_is_shown_with_its_payload_and_a_missing_one_is_not_found(admin, database):
    log = make_log(model="lost")
    await add_dead_letters(database, [letter(log)])
    (listed,) = await waiting(admin)
    request = pb.GetDeadLetterRequest(dead_letter_id=listed.dead_letter_id)
    shown = (await admin.GetDeadLetter(request)).dead_letter
    assert json.loads(shown.payload_json)["logs"][0]["model"] == "lost"
    assert (shown.log_count, shown.attempt_count, shown.producer_id) == (1, 3, "p1")
    missing = str(uuid.uuid4())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await admin.GetDeadLetter(pb.GetDeadLetterRequest(dead_letter_id=missing))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert info_of(caught.value)[:2] == ("DEAD_LETTER_NOT_FOUND", {"dead_letter_id": missing})


async def test_an_invalid_filter_discards_nothing(admin, database):
    await add_dead_letters(database, [letter(make_log())])
    for wrong in (
        pb.DeadLetterFilter(dead_letter_ids=["no uuid"]),
        pb.DeadLetterFilter(states=[9]),  # type: ignore[list-item] # the point
        pb.DeadLetterFilter(dead_letter_ids=[str(uuid.uuid4())] * 1001),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await admin.DiscardDeadLetters(pb.DiscardDeadLettersRequest(filter=wrong))
        assert info_of(caught.value)[0] == "INVALID_FIELD"
    assert len(await waiting(admin)) == 1


async def test_replay_stores_the_logs_once_and_shows_progress(admin, database, worker):
    logs = [make_log() for _ in range(250)]
    await add_dead_letters(database, [letter(log) for log in logs[:-1]])
    alone = MessageToJson(logs[-1], preserving_proto_field_name=True)
    await add_dead_letters(database, [letter(logs[-1], log_id=logs[-1].log_id, payload=alone)])
    await add_dead_letters(database, [letter(payload='{"unparsable": "x"}', reason="unparsable")])
    for _ in range(2):
        progress = [update async for update in admin.ReplayDeadLetters(pb.ReplayDeadLettersRequest())]
    assert [update.replayed_count for update in progress] == [0]  # nothing was left to replay

    async def stored():
        return await count_logs(database, project_id="default") == 250

    await eventually(stored)
    assert [letter.reason for letter in await waiting(admin)] == ["unparsable"]


async def test_a_replay_does_not_undo_a_newer_correction(admin, channel, database, worker):
    log = make_log(model="old")
    await add_dead_letters(database, [letter(log)])
    newer = make_log(model="new", log_id=log.log_id)
    newer.start_time.CopyFrom(log.start_time)
    await stub(IngestServiceStub, channel).IngestLogs(make_request(newer))

    async def stored():
        return await get_log(database, project_id="default", log_id=uuid.UUID(log.log_id))

    await eventually(stored)
    _ = [update async for update in admin.ReplayDeadLetters(pb.ReplayDeadLettersRequest())]
    await stub(IngestServiceStub, channel).IngestLogs(make_request(make_log()))

    async def both():
        return await count_logs(database, project_id="default") == 2

    await eventually(both)
    assert (await stored()).model == "new"


async def test_a_replayed_dead_letter_that_fails_again_waits_again(admin, database):
    failed = letter(make_log())
    await add_dead_letters(database, [failed])
    _ = [update async for update in admin.ReplayDeadLetters(pb.ReplayDeadLettersRequest())]
    assert await waiting(admin) == []
    await add_dead_letters(database, [failed])
    (again,) = await waiting(admin)
    assert again.attempt_count == 6


async def test_dead_letters_stay_waiting_while_the_queue_is_unavailable(admin, database, monkeypatch):
    await add_dead_letters(database, [letter(make_log())])

    async def refuse(*_):
        raise OSError

    monkeypatch.setattr("worker.queue.broker.LogBroker.append", refuse)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [update async for update in admin.ReplayDeadLetters(pb.ReplayDeadLettersRequest())]
    assert info_of(caught.value)[0] == "QUEUE_UNAVAILABLE"
    assert len(await waiting(admin)) == 1


async def test_discarded_dead_letters_are_counted_once_and_kept(admin, database):
    await add_dead_letters(database, [letter(make_log()) for _ in range(3)])
    request = pb.DiscardDeadLettersRequest()
    assert (await admin.DiscardDeadLetters(request)).discarded_count == 3
    assert (await admin.DiscardDeadLetters(request)).discarded_count == 0
    assert await waiting(admin) == []
    states = pb.DeadLetterFilter(states=[pb.DEAD_LETTER_STATE_DISCARDED])
    kept = await admin.ListDeadLetters(pb.ListDeadLettersRequest(filter=states))
    assert len(kept.dead_letters) == 3


async def test_queue_stats_are_reported(admin, channel):
    await stub(IngestServiceStub, channel).IngestLogs(make_request(make_log()))
    found = await admin.GetQueueStats(pb.GetQueueStatsRequest())
    assert found.queue.depth == 1
    assert found.memory_bytes > 0


@pytest.fixture
def dead_letters(server, monkeypatch):
    """Runs `llm-observe dead-letters`, in a thread of its own since it is synchronous."""
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", f"127.0.0.1:{server.port}")

    async def run(*words: str, answer: str | None = None) -> str:
        command = ["dead-letters", *words]
        done = await asyncio.to_thread(CliRunner().invoke, cli, command, input=answer)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.output

    return run


async def test_the_command_line_lists_and_shows(dead_letters, database):
    await add_dead_letters(database, [letter(make_log(model="lost"), reason="killed_worker")])
    listed = await dead_letters("list")
    assert "killed_worker" in listed
    assert listed.split("\t")[3] == "1"
    shown = await dead_letters("show", listed.split()[0])
    fields = dict(line.split("  ", 1) for line in shown.split("payload\n")[0].splitlines())
    assert fields["reason"].strip() == "killed_worker"
    assert fields["first attempt (UTC)"].strip() == f"{EARLY:%Y-%m-%d %H:%M:%S}"
    assert '      "model": "lost"' in shown
    as_json = json.loads(await dead_letters("show", listed.split()[0], "--json"))
    assert (as_json["reason"], as_json["payload"]["logs"][0]["model"]) == ("killed_worker", "lost")
    assert "ids of dead letters" in await dead_letters("replay")
    assert "1 queued again" in await dead_letters("replay", "--all")
    assert "no dead letters are waiting" in await dead_letters("list")


async def test_discarding_says_how_many_before_it_asks(dead_letters, database, admin, server, monkeypatch):
    monkeypatch.setattr("stack.cli.dead_letters._MAX_PAGE", 2)  # of 3 letters there are two pages
    await add_dead_letters(database, [letter(make_log(), make_log()) for _ in range(3)])
    question = f"discard 3 dead letters with 6 logs at 127.0.0.1:{server.port} (LLM_OBSERVE_ENDPOINT)?"
    assert question in await dead_letters("discard", "--all", answer="n\n")
    assert len(await waiting(admin)) == 3
    first, *_ = await waiting(admin)
    assert "discard 1 dead letter with 2 logs" in await dead_letters(
        "discard", first.dead_letter_id, answer="n\n"
    )
    assert "3 discarded" in await dead_letters("discard", "--all", answer="y\n")
    assert await dead_letters("discard", "--all") == "0 discarded\n"
    await add_dead_letters(database, [letter(make_log())])
    assert await dead_letters("discard", "--all", "--yes") == "1 discarded\n"


async def test_what_comes_while_discarding_asks_is_kept(dead_letters, database, admin, monkeypatch):
    await add_dead_letters(database, [letter(make_log()) for _ in range(2)])
    loop = asyncio.get_running_loop()

    def answer_late(*_: object, **__: object) -> bool:
        later = add_dead_letters(database, [letter(make_log(), reason="came later")])
        asyncio.run_coroutine_threadsafe(later, loop).result()
        return True

    monkeypatch.setattr("stack.cli.dead_letters.click.confirm", answer_late)
    assert await dead_letters("discard", "--all") == "2 discarded\n"
    assert [each.reason for each in await waiting(admin)] == ["came later"]


def test_the_quota_stops_mass_dead_lettering():
    quota = DeadLetterQuota(10)
    quota.spend(8)
    quota.spend(2)
    with pytest.raises(TooManyDeadLetters):
        quota.spend(1)
    assert issubclass(TooManyDeadLetters, StorageUnavailable)  # so that the batch waits and uses no attempt
    DeadLetterQuota(10).spend(500)


def test_a_queue_message_is_split():
    request = make_request(*(make_log() for _ in range(3)))
    batches = [AcceptedBatch(request.SerializeToString(), "default", number, 3, 0) for number in (1, 2)]
    data = pack({"task_name": "t"}, {"batches": batches})
    halves = split_message(data)
    assert [read_message(half) for half in halves] == [[batches[0]], [batches[1]]]
    alone = [read_message(part)[0] for part in split_message(halves[0])]
    assert [IngestLogsRequest.FromString(batch.payload).logs[0] for batch in alone] == list(request.logs)
    (last,) = split_message(split_message(halves[0])[0])
    assert len(read_message(last)) == 1
    assert split_message(b"\xff") == [b"\xff"]
