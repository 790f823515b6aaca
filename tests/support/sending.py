"""What producers and the queue do to logs, by a seed: new and late ones, corrections, and batches again."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS, Log

from analytics.pricing.book import PriceBook
from codec.batch import AcceptedBatch
from codec.rows import to_row
from storage.columns import LogRow
from tests.support.logs import make_log
from tests.support.prices import microseconds

_MODELS = ("gpt-4o-mini", "gpt-4o", "nobody's")
_OUTCOMES = (OUTCOME_SUCCESS,) * 4 + (OUTCOME_ERROR, OUTCOME_CANCELLED)


@dataclass
class Sender:
    """Makes batches of the days before a midnight, and knows what must be stored once all have arrived."""

    seed: int
    today: datetime
    logs: dict[str, tuple[Log, datetime]] = field(default_factory=dict)
    """Each as it was sent last, and when that was accepted."""
    _batches: list[AcceptedBatch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def send(self, count: int) -> list[AcceptedBatch]:
        """Return new batches, and among them some old ones that the queue delivers once more."""
        again = self._chance.sample(self._batches, min(count // 2, len(self._batches)))
        batches = [*(self._batch() for _ in range(count)), *again]
        self._chance.shuffle(batches)
        return batches

    def send_again(self, log_id: str) -> AcceptedBatch:
        """Return a batch that corrects a log."""
        return self._accept([self._correct(self.logs[log_id][0])])

    def rows(self, book: PriceBook) -> list[LogRow]:
        """Return what must be stored, at the prices of a book."""
        return [
            to_row(log, project_id="default", receive_time=accepted, prices=book)
            for log, accepted in self.logs.values()
        ]

    def _batch(self) -> AcceptedBatch:
        sent = [log for log, _ in self.logs.values()]
        corrected = self._chance.sample(sent, min(15, len(sent)))
        return self._accept([*(self._new() for _ in range(20)), *map(self._correct, corrected)])

    def _accept(self, logs: list[Log]) -> AcceptedBatch:
        accepted = self.today + timedelta(milliseconds=len(self._batches))
        self.logs.update({log.log_id: (log, accepted) for log in logs})
        payload = IngestLogsRequest(logs=logs).SerializeToString()
        self._batches.append(AcceptedBatch(payload, "default", microseconds(accepted), len(logs), 0))
        return self._batches[-1]

    def _new(self) -> Log:
        chance = self._chance
        log = make_log(
            log_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            model=chance.choice(_MODELS),
            environment=chance.choice(("", "production")),
        )
        days = 20 if chance.random() < 0.1 else 3  # a tenth is late
        self._move(log, days)
        self._count(log)
        return log

    def _correct(self, log: Log) -> Log:
        """Return a log of which one thing is another now."""
        made = Log.FromString(log.SerializeToString())
        match self._chance.randrange(4):
            case 0:
                made.model = self._chance.choice(_MODELS)
            case 1:
                self._move(made, days=3)
            case 2:
                made.environment = self._chance.choice(("", "production", "staging"))
            case _:
                self._count(made)
        return made

    def _move(self, log: Log, days: int) -> None:
        log.start_time.FromDatetime(self.today - timedelta(seconds=self._chance.randrange(1, days * 86_400)))

    def _count(self, log: Log) -> None:
        chance = self._chance
        log.outcome = chance.choice(_OUTCOMES)
        log.error_code = chance.choice(("", "rate_limit", "timeout")) if log.outcome == OUTCOME_ERROR else ""
        log.ClearField("output_token_count")
        if chance.random() < 0.9:
            log.output_token_count = chance.choice((0, 7, 2**40 + 1))
        log.input_token_count = chance.randrange(5_000)
        log.latency.FromMicroseconds(int(chance.lognormvariate(13, 2)))
        log.time_to_first_token.FromMicroseconds(log.latency.ToMicroseconds() // 3)


def midnight() -> datetime:
    """Return the midnight before which logs are sent: there are partitions for the days around today."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
