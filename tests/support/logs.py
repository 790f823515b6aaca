"""Valid logs, and requests that carry them."""

from __future__ import annotations

import time
import uuid
from typing import Any

from google.protobuf.json_format import ParseDict
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.log_pb2 import OUTCOME_ERROR, OUTCOME_SUCCESS, Log

from tests.support.redaction.chance import Chance
from tests.support.texts import make_text

_MODELS = {
    "openai": ("gpt-4o-mini", "gpt-4.1", "gpt-4o", "gpt-5.2"),
    "anthropic": ("claude-sonnet-4-5", "claude-haiku-4-5"),
    "gemini": ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-pro"),
}
_TEXTS = 2_000
_MINUTE_S = 60
_LATE_S = 24 * 3600


def make_log(**fields: Any) -> Log:
    """Return a valid, successful log; message fields are given as protobuf JSON."""
    log = Log(
        log_id=str(uuid.uuid4()),
        session_id="session",
        provider="openai",
        model="gpt-4o-mini",
        outcome=OUTCOME_SUCCESS,
        input_token_count=10,
        output_token_count=20,
        total_token_count=30,
    )
    log.start_time.FromNanoseconds(time.time_ns() // 1000 * 1000)
    log.latency.FromMilliseconds(250)
    ParseDict(fields, log)
    return log


def make_request(*logs: Log) -> IngestLogsRequest:
    """Return a request that carries these logs."""
    return IngestLogsRequest(logs=logs)


def make_logs(count: int, seed: int = 1, *, ending: str = "", logs_per_trace: int = 0) -> list[Log]:
    """Return logs of about 1 KB as applications send them, all new.

    Many kinds of texts, a tenth of the logs with something to redact; nine models in two environments and two
    operations; most of the last minute, a tenth up to a day late; some fail. Every input ends in ``ending``.
    Logs that follow each other share a trace; 0 a trace gives them none.
    """
    chance = Chance(seed)
    texts = [make_text(chance) for _ in range(_TEXTS)]
    logs = [_make_application_log(chance, texts, ending) for _ in range(count)]
    if logs_per_trace:
        for begin in range(0, count, logs_per_trace):
            trace_id = f"{chance.getrandbits(128):032x}"
            for log in logs[begin : begin + logs_per_trace]:
                log.trace_id, log.span_id = trace_id, f"{chance.getrandbits(64):016x}"
    return logs


def _make_application_log(chance: Chance, texts: list[str], ending: str) -> Log:
    log = make_log()
    late_s = chance.random() * (_LATE_S if chance.random() < 0.1 else _MINUTE_S)
    log.start_time.FromMicroseconds(log.start_time.ToMicroseconds() - int(late_s * 1e6))
    provider = chance.choice(tuple(_MODELS))
    log.MergeFrom(
        Log(
            session_id=str(uuid.UUID(int=chance.getrandbits(128))),
            provider=provider,
            model=chance.choice(_MODELS[provider]),
            operation=chance.choice(("chat", "chat", "text_completion")),
            input_token_count=chance.randrange(10, 3000),
            output_token_count=chance.randrange(10, 800),
            input_preview=chance.choice(texts) + ending,
            output_preview=chance.choice(texts),
            user_id=f"user-{chance.randrange(1000)}",
            finish_reason="stop",
            environment=chance.choice(("production", "production", "staging")),
            streamed=True,
            metadata={"tenant": f"t{chance.randrange(20)}"},
        )
    )
    if chance.random() < 0.05:
        log.outcome, log.error_code = OUTCOME_ERROR, chance.choice(("rate_limit", "timeout", "overloaded"))
    log.total_token_count = log.input_token_count + log.output_token_count
    log.latency.FromMicroseconds(int(chance.lognormvariate(13, 0.8)))
    log.time_to_first_token.FromMicroseconds(log.latency.ToMicroseconds() // 4)
    return log
