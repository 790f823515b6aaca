"""Queue messages survive the round trip, and damaged ones are recognised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taskiq import TaskiqMessage

from worker.queue.message import BatchFormatter, pack, unpack

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
