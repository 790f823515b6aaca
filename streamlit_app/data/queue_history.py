"""The queue over the last hour, as this app has seen it.

The server keeps no history of its queue, and metrics belong in Prometheus. So the app remembers, for all
its visitors and within a bound, what its pages read: where no page was open, there is a gap.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from streamlit_app import format as fmt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.health_service_pb2 import QueueHealth

KEPT: Final = timedelta(hours=1)
_SHORTEST_STEP: Final = timedelta(seconds=5)
_MAX_SAMPLES: Final = int(KEPT / _SHORTEST_STEP)


class Sample(NamedTuple):
    """The queue at one time: batches that wait or are being stored, and the age of the oldest in seconds."""

    time: datetime
    depth: int
    oldest_age_s: float


class QueueHistory:
    """Samples, oldest first; threads may add to it at the same time."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=_MAX_SAMPLES)

    def add(self, queue: QueueHealth, now: datetime) -> None:
        """Remember the queue as it is now, unless it was looked at a few seconds ago."""
        if not self._samples or now - self._samples[-1].time >= _SHORTEST_STEP:
            self._samples.append(Sample(now, queue.depth, fmt.seconds(queue.oldest_age)))

    def last_hour(self, now: datetime) -> Sequence[Sample]:
        """Return the samples of the last hour."""
        return [sample for sample in self._samples.copy() if now - KEPT <= sample.time <= now]

    def clear(self) -> None:
        """Forget everything."""
        self._samples.clear()


HISTORY: Final = QueueHistory()
