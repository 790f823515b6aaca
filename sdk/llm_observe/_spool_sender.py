"""Sends the batches in the spool from a thread of its own: calls reach the disk while no collector does."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from llm_observe._guard import report_internal_error
from llm_observe._loading import forks_wait
from llm_observe._spool import Spool, StoredBatch

if TYPE_CHECKING:
    from llm_observe._batch_kind import BatchKind, Request
    from llm_observe._config import Config
    from llm_observe._counters import DeliveryCounters
    from llm_observe._delivery import Delivery

_ADOPT_EVERY_S: Final = 30.0


class SpoolSender:
    """The spool and its thread.

    Raises:
        OSError: The spool cannot be created.
    """

    def __init__(
        self, config: Config, counters: DeliveryCounters, delivery: Delivery, kind: BatchKind
    ) -> None:
        self._kind = kind
        self._counters = counters
        self._delivery = delivery
        self._spool = Spool(
            Path(config.spool_dir, kind.spool_folder), counters.producer_id, config.spool_max_bytes
        )
        self._wake = threading.Event()
        self._stopped = False
        self._adopt()
        threading.Thread(target=self._run, name="llm-observe-spool", daemon=True).start()

    def keep(self, request: Request, number: int) -> bool:
        """Store a batch on disk; return False if that fails and it must be sent from memory."""
        try:
            count = len(self._kind.records(request))
            kept = self._spool.put(request.SerializeToString(), number=number, count=count)
        except OSError as error:
            report_internal_error("spool", type(error))
            return False
        self._wake.set()
        return kept

    def _adopt(self) -> None:
        self._counters.adopt(self._spool.adopt())

    def _run(self) -> None:
        while not self._stopped:
            try:
                self._send_waiting()
                if not self._wake.wait(_ADOPT_EVERY_S):
                    with forks_wait():  # a child that had the locks of a dead process would keep them
                        self._adopt()
                self._wake.clear()
            except BaseException as error:  # noqa: BLE001 - the thread must outlive whatever an exporter raises
                report_internal_error("spool", type(error))
                self._wake.wait(_ADOPT_EVERY_S)

    def _send_waiting(self) -> None:
        while not self._stopped and (batch := self._spool.oldest()):
            request = self._read(batch)
            if request is None:
                self._spool.remove(batch)
                self._counters.settle(dropped=batch.log_count, reason="spool_damaged")
                continue
            delivered = self._delivery.deliver(request)
            if delivered is None:
                return
            self._spool.remove(batch)
            self._counters.settle(**delivered._asdict())

    def _read(self, batch: StoredBatch) -> Request | None:
        """Return a batch from disk, or None if it is damaged."""
        request = self._kind.new_request()
        try:
            request.ParseFromString(batch.path.read_bytes())
        except (OSError, DecodeError):
            return None
        return request if len(self._kind.records(request)) == batch.log_count else None

    def stop(self) -> int:
        """Release the spool; return the number of logs that stay in it."""
        if self._stopped:
            return 0
        self._stopped = True
        kept = self._spool.count()
        self._spool.close()
        self._wake.set()
        return kept

    def forget(self) -> None:
        """In a forked child: leave the spool to the parent."""
        self._spool.forget()
