"""Sends demo logs as a producer does, by IngestLogs, and finds out what became of them."""

from __future__ import annotations

import time
import uuid
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status
from llm_observe.v1.admin_service_pb2 import QueryLedgerRequest
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest, ProducerReport
from llm_observe.v1.ingest_service_pb2_grpc import IngestServiceStub

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_observe.v1.log_pb2 import Log

_TIMEOUT_S: Final = 10.0
_RETRY_FOR_S: Final = 60.0
"""A batch that no server takes within this time fails the command."""
_RETRY_AFTER_S: Final = 0.5
"""Where the server does not say how long to wait."""
_POLL_S: Final = 0.2
_RETRYABLE: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}
)


class Settled(NamedTuple):
    """What became of a producer's logs, as the ledger has it."""

    stored: int
    rejected: int
    dead_lettered: int
    duplicate: int


class Producer:
    """One run of the command, to the server a producer like others."""

    def __init__(
        self,
        channel: grpc.Channel,
        *,
        wait: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a producer.

        Args:
            channel: To the server.
            wait: Waits for seconds before a retry; returns true to give up.
            clock: Seconds from any start.
        """
        self.sent = 0
        """Logs that the server has accepted."""
        self._ingest = IngestServiceStub(channel)
        self._admin = AdminServiceStub(channel)
        self._wait, self._clock = wait, clock
        self._report = ProducerReport(
            producer_id=str(uuid.uuid4()), sdk_name="demo-traffic", sdk_version=version("llm-observe-stack")
        )
        self._report.start_time.GetCurrentTime()

    def send(self, logs: Sequence[Log]) -> None:
        """Send at most 500 logs, again and again until the server takes them.

        Raises:
            grpc.RpcError: They were refused, or not taken within a minute.
        """
        self._report.batch_number += 1
        self._report.logged_count += len(logs)
        self._report.sent_count += len(logs)
        request = IngestLogsRequest(logs=logs, producer=self._report)
        deadline = self._clock() + _RETRY_FOR_S
        while True:
            try:
                self.sent += self._ingest.IngestLogs(request, timeout=_TIMEOUT_S).accepted_log_count
            except grpc.RpcError as error:
                wait_s = _retry_after_s(error)
                if error.code() not in _RETRYABLE or self._clock() + wait_s > deadline or self._wait(wait_s):
                    raise
            else:
                return

    def wait_until_settled(self, on_progress: Callable[[int], None]) -> Settled | None:
        """Wait until it is known of every log what became of it; give up where a minute brings nothing new.

        Args:
            on_progress: Is given of how many it is known.

        Returns:
            What became of them; None where the API key may not read the ledger.

        Raises:
            grpc.RpcError: The server did not answer.
        """
        known, since = -1, self._clock()
        while True:
            try:
                settled = self._read_ledger()
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.PERMISSION_DENIED:
                    return None
                raise
            if sum(settled) != known:
                known, since = sum(settled), self._clock()
                on_progress(known)
            if known >= self._report.sent_count or self._clock() - since > _RETRY_FOR_S:
                return settled
            self._wait(_POLL_S)

    def _read_ledger(self) -> Settled:
        request = QueryLedgerRequest(producer_id=self._report.producer_id, page_size=1000)
        entries = self._admin.QueryLedger(request, timeout=_TIMEOUT_S).entries
        return Settled(
            stored=sum(entry.stored_count for entry in entries),
            rejected=sum(entry.rejected_count for entry in entries),
            dead_lettered=sum(entry.dead_lettered_count for entry in entries),
            duplicate=sum(entry.duplicate_count for entry in entries),
        )


def _retry_after_s(error: grpc.RpcError) -> float:
    """Return how long the server asks to wait, in seconds."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type] # grpc raises RpcErrors that are Calls
    delay = RetryInfo()
    if status is None or not any(detail.Unpack(delay) for detail in status.details):
        return _RETRY_AFTER_S
    return delay.retry_delay.seconds + delay.retry_delay.nanos / 1e9
