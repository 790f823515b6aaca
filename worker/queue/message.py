"""The queue's message format: one line of JSON, followed by the batches' bytes as they are.

Taskiq's own formatter makes JSON of everything, and JSON holds no bytes: as base64 text a batch takes a third
more room in Redis, and encoding it takes most of the time that queueing costs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from taskiq import BrokerMessage, TaskiqMessage
from taskiq.abc.formatter import TaskiqFormatter

from codec.batch import AcceptedBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCHES: Final = "batches"
"""The argument whose entries begin with bytes: (payload, *rest)."""
_SIZES: Final = "sizes"


class BatchFormatter(TaskiqFormatter):
    """See the module's docstring."""

    def dumps(self, message: TaskiqMessage) -> BrokerMessage:
        """Return the message's bytes."""
        return BrokerMessage(
            task_id=message.task_id,
            task_name=message.task_name,
            message=pack(message.model_dump(mode="python", exclude={"kwargs"}), message.kwargs),
            labels=message.labels,
        )

    def loads(self, message: bytes) -> TaskiqMessage:
        """Return the task of a message.

        Raises:
            ValueError: The bytes are not a message of this format.
        """
        head, kwargs = unpack(message)
        return TaskiqMessage.model_validate({**head, "kwargs": kwargs})


def pack(head: dict[str, Any], kwargs: dict[str, Any]) -> bytes:
    """Return a message's bytes."""
    batches = kwargs.get(BATCHES, ())
    payloads = [payload for payload, *_ in batches]
    line = {
        **head,
        "kwargs": {**kwargs, BATCHES: [rest for _, *rest in batches]} if batches else kwargs,
        _SIZES: list(map(len, payloads)),
    }
    return b"".join((json.dumps(line).encode("ascii"), b"\n", *payloads))


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a message's head and its arguments.

    Raises:
        ValueError: The bytes are not a message of this format.
    """
    line, _, rest = data.partition(b"\n")
    try:
        head = json.loads(line)
        kwargs, sizes = head.pop("kwargs"), head.pop(_SIZES)
        if sizes:
            kwargs[BATCHES] = _put_back(kwargs[BATCHES], sizes, rest)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a queue message: {type(error).__name__}") from None
    return head, kwargs


def _put_back(batches: list[Any], sizes: list[int], rest: bytes) -> list[tuple[Any, ...]]:
    if sum(sizes) != len(rest):
        raise ValueError("the payloads have another length than the message says")
    whole, at = [], 0
    for size, others in zip(sizes, batches, strict=True):
        whole.append((rest[at : at + size], *others))
        at += size
    return whole


QueuedBatch = tuple[bytes, str, int, int, int] | tuple[bytes, str, int, int, int, str]
"""An AcceptedBatch as it travels: without its traceparents where it has none, as older workers read it."""


def to_queued(batch: AcceptedBatch) -> QueuedBatch:
    """Return a batch as it travels."""
    return batch if batch.traceparents else batch[:5]


def read_message(data: bytes) -> list[AcceptedBatch]:
    """Return the batches of a queue message.

    Raises:
        Exception: Of any kind: the bytes are not a message of this format.
    """
    return read_batches(unpack(data)[1][BATCHES])


def split_message(data: bytes) -> list[bytes]:
    """Split a message into its batches, or its only batch into its logs; what cannot be split stays whole."""
    try:
        head, _ = unpack(data)
        batches = read_message(data)
        if len(batches) == 1:
            request = IngestLogsRequest.FromString(batches[0].payload)
            parts = (IngestLogsRequest(producer=request.producer, logs=[log]) for log in request.logs)
            batches = [batches[0]._replace(payload=part.SerializeToString()) for part in parts]
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it stays whole
        return [data]
    return [pack(head, {BATCHES: [to_queued(batch)]}) for batch in batches]


def read_batches(batches: Sequence[QueuedBatch]) -> list[AcceptedBatch]:
    """Return the batches in the arguments of the task.

    Raises:
        TypeError: An argument is not a batch.
    """
    return [AcceptedBatch(*batch) for batch in batches]
