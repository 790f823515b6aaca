"""Queue messages survive the round trip, and damaged ones are recognised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taskiq import TaskiqMessage

from codec.batch import AcceptedBatch
from worker.queue.message import BatchFormatter, pack, read_batches, split_message, to_queued, unpack

BATCH = st.tuples(st.binary(max_size=50), st.text(max_size=5), st.integers(), st.integers(), st.integers())


@given(st.lists(BATCH, max_size=5))
def test_a_task_survives_the_round_trip(batches):
    message = TaskiqMessage(
        task_id="id", task_name="t", labels={"attempt": "2"}, args=[], kwargs={"batches": batches}
    )
    again = BatchFormatter().loads(BatchFormatter().dumps(message).message)
    assert again.labels == message.labels
    assert again.kwargs == message.kwargs


def test_a_task_without_batches_survives_the_round_trip():
    message = TaskiqMessage(task_id="id", task_name="t", labels={}, args=[], kwargs={})
    assert BatchFormatter().loads(BatchFormatter().dumps(message).message).task_name == "t"


GOOD = pack(
    {"task_id": "i", "task_name": "t", "labels": {}, "args": []}, {"batches": [(b"ab", "p", 1, 1, 0)]}
)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"null\n",
        b'{"task_name": "no such"}',
        GOOD[:-1],
        GOOD + b"x",
        GOOD.replace(b'"sizes": [2]', b'"sizes": ["2"]'),
        GOOD.replace(b'"sizes": [2]', b'"sizes": [1, 1]'),
        GOOD.replace(b'"batches"', b'"others"'),
        GOOD.replace(b'"kwargs"', b'"nothing"'),
    ],
)
def test_an_invalid_message_is_a_value_error(data):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever its text
        BatchFormatter().loads(data)


def test_every_truncation_is_recognised():
    for end in range(len(GOOD)):
        with pytest.raises(ValueError):  # noqa: PT011 - as above
            unpack(GOOD[:end])


TRACED = AcceptedBatch(b"", "p", 1, 0, 0, f"00-{'a' * 32}-{'b' * 16}-01")


def test_a_batch_without_a_trace_travels_as_workers_of_the_release_before_read_it():
    plain = TRACED._replace(traceparents="")
    assert len(to_queued(plain)) == 5
    assert read_batches([to_queued(plain), to_queued(TRACED)]) == [plain, TRACED]


@pytest.mark.parametrize("batch", [TRACED, TRACED._replace(traceparents="")])
def test_a_split_message_keeps_the_trace_of_each_batch(batch):
    head = {"task_id": "i", "task_name": "t", "labels": {}, "args": []}
    pieces = split_message(pack(head, {"batches": [to_queued(batch)] * 2}))
    found = [unpack(piece)[1]["batches"][0] for piece in pieces]
    assert found == [tuple(to_queued(batch))] * 2
