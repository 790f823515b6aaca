"""The verdict of the page Operations: every finding alone, and beside all others."""

from __future__ import annotations

from itertools import combinations

import pytest
from llm_observe.v1 import health_service_pb2 as pb

from streamlit_app.data.server import Ledger
from streamlit_app.panels.operations.verdict import Level, judge

WHOLE = Ledger(sent=100, stored=100)


def healthy() -> pb.CheckResponse:
    return pb.CheckResponse(
        dependencies=[pb.DependencyHealth(name="postgres", state=pb.HEALTH_STATE_HEALTHY)],
        queue=pb.QueueHealth(consumer_count=1),
        dead_letter_count=0,
    )


def redis_down(answer: pb.CheckResponse) -> None:
    answer.dependencies.add(name="redis", state=pb.HEALTH_STATE_UNHEALTHY, message="timed out")


def old_queue(answer: pb.CheckResponse) -> None:
    answer.queue.depth = 3
    answer.queue.oldest_age.seconds = 600


def no_worker(answer: pb.CheckResponse) -> None:
    answer.queue.consumer_count = 0


def waiting_letters(answer: pb.CheckResponse) -> None:
    answer.dead_letter_count = 1


def undelivered(answer: pb.CheckResponse) -> None:
    answer.undelivered_alert_message_count = 2


def overflow(answer: pb.CheckResponse) -> None:
    answer.rollups.overflow_hour_count = 1


def redis_evicts(answer: pb.CheckResponse) -> None:
    dependency = answer.dependencies.add(
        name="redis", state=pb.HEALTH_STATE_DEGRADED, message="Redis has `maxmemory-policy allkeys-lru`"
    )
    dependency.latency.nanos = 1
    answer.problems.add(state=pb.HEALTH_STATE_DEGRADED, kind="redis_evicts", message=dependency.message)


def disk_full(answer: pb.CheckResponse) -> None:
    answer.problems.add(
        state=pb.HEALTH_STATE_UNHEALTHY, kind="disk_full", message="0.1 GB are left on the disk of /data"
    )


OF_HEALTH = {
    redis_evicts: (Level.WARNING, "Redis has `maxmemory-policy allkeys-lru`."),
    disk_full: (Level.BAD, "0.1 GB are left on the disk of /data."),
    redis_down: (Level.BAD, "Redis does not work: timed out."),
    old_queue: (Level.WARNING, "3 batches in the queue, the oldest for 10 min 00 s."),
    no_worker: (Level.BAD, "No worker is running, so nothing is stored."),
    waiting_letters: (Level.WARNING, "1 dead letter waits to be replayed or discarded."),
    undelivered: (Level.WARNING, "2 alert messages could not be delivered."),
    overflow: (Level.WARNING, "Too many groups in 1 hour: the rest is counted as other."),
}
OF_LEDGER = [
    (WHOLE, Level.GOOD, "Everything that was sent is stored."),
    (Ledger(), Level.GOOD, "Nothing was sent in this window."),
    (Ledger(sent=100, stored=98), Level.GOOD, "Everything that was sent is stored or on its way."),
    (Ledger(sent=100, stored=98), Level.GOOD, "2 logs not stored yet."),
    (Ledger(sent=100, stored=99, rejected=1), Level.WARNING, "1 log rejected for their content."),
    (Ledger(sent=100, stored=100, dropped=1_200), Level.BAD, "Producers dropped 1,200 logs."),
    (Ledger(sent=100, stored=100, missing_batches=1), Level.BAD, "1 batch never arrived."),
]


def test_all_is_well():
    findings = judge(healthy(), WHOLE)
    assert {finding.level for finding in findings} == {Level.GOOD}
    assert [finding.words for finding in findings] == [
        "Everything that was sent is stored.",
        "Queue empty.",
        "1 worker.",
    ]


@pytest.mark.parametrize(
    "wrong", [*combinations(OF_HEALTH, 1), *combinations(OF_HEALTH, 2), tuple(OF_HEALTH)]
)
def test_everything_that_is_wrong_is_said(wrong):
    answer = healthy()
    for change in wrong:
        change(answer)
    found = {finding.words: finding.level for finding in judge(answer, WHOLE)}
    for change in wrong:
        level, words = OF_HEALTH[change]
        assert found[words] == level
    assert max(found.values()) == max(OF_HEALTH[change][0] for change in wrong)


@pytest.mark.parametrize(("ledger", "level", "words"), OF_LEDGER)
def test_what_became_of_logs_is_said(ledger, level, words):
    found = {finding.words: finding.level for finding in judge(healthy(), ledger)}
    assert found[words] == level


def test_without_the_ledger_nothing_is_claimed_of_it():
    words = " ".join(finding.words for finding in judge(healthy(), None))
    assert words == "Queue empty. 1 worker."


def test_a_queue_that_cannot_be_seen_is_no_empty_queue():
    answer = healthy()
    answer.ClearField("queue")
    words = [finding.words for finding in judge(answer, WHOLE)]
    assert "The queue cannot be seen." in words
    assert "Queue empty." not in words
