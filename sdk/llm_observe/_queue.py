"""The bounded queue between the application and the thread that sends."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from llm_observe._guard import report_internal_error

if TYPE_CHECKING:
    from llm_observe._config import Config
    from llm_observe._counters import DeliveryCounters

INBOX_CALLS: Final = 16
"""A thread that adds a call takes in an inbox of this size. The queue's bounds do not count it."""


class Queued(Protocol):
    """A finished call or span, as far as the queue needs it."""

    waiting_bytes: int

    def compact(self) -> int:
        """Cut the texts; return the memory that it holds while it is queued, in bytes."""
        ...


Item = TypeVar("Item", bound=Queued)


class BoundedQueue(Generic[Item]):
    """Finished calls, bounded by count and by bytes; calls on their way take theirs until they are settled.

    A thread of the application leaves its call in an inbox, without a lock. Calls are measured, counted,
    and queued or dropped when the sender takes in the inbox, or when it is full: for many calls in a row, the
    code that does so stays in the processor's caches.

    Args:
        config: The bounds.
        counters: Counts the calls; their lock guards the queue.
    """

    def __init__(self, config: Config, counters: DeliveryCounters) -> None:
        self._config = config
        self._counters = counters
        self.inbox: deque[Item] = deque()
        """The calls that are neither counted nor queued yet."""
        self.put = self.inbox.append
        """Leaves a call in the inbox."""
        self._calls: deque[Item] = deque()
        self.held_bytes = 0
        """Of the calls in the queue, and of those on their way."""
        self.closed = False
        """Whether calls are dropped from now on."""

    def __len__(self) -> int:
        return len(self._calls) + len(self.inbox)

    def take_in(self) -> int:
        """Count the calls in the inbox and queue or drop them; return how many are queued.

        The caller holds the lock.
        """
        counters = self._counters
        try:
            # By an iterator: after a method call, an interrupt could be raised before the call is counted.
            for call in iter(self.inbox.popleft, None):
                counters.logged += 1
                drop_reason = "internal_error"
                try:
                    drop_reason = self._enqueue(call)
                except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
                    report_internal_error("add", type(error))
                finally:  # every logged call must be counted, also if the thread is interrupted
                    if drop_reason:
                        counters.drop(drop_reason)
        except IndexError:  # the inbox is empty
            pass
        return len(self._calls)

    def _enqueue(self, call: Item) -> str:
        """Queue a call; return why it must be dropped instead, or an empty text."""
        if self.closed:
            return "shut_down"
        size = call.waiting_bytes = call.compact()
        if len(self._calls) >= self._config.queue_max_logs:
            return "queue_full"
        if self.held_bytes + size > self._config.queue_max_bytes:
            return "queue_full"
        # By operators: after a method call, an interrupt could be raised between the queue and its counts.
        self._calls += (call,)
        self._counters.queued += 1
        self.held_bytes += size
        return ""

    def take(self) -> Item | None:
        """Take the oldest call out of the queue; None if there is none."""
        with self._counters.lock:
            return self._calls.popleft() if self._calls else None

    def discard(self) -> int:
        """Empty the queue and return how many calls were in it."""
        with self._counters.lock:
            count = len(self._calls)
            self.held_bytes -= sum(call.waiting_bytes for call in self._calls)
            self._calls.clear()
        return count
