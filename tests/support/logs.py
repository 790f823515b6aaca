"""Valid logs, and requests that carry them."""

from __future__ import annotations

import random
import time
import uuid
from typing import Any

from google.protobuf.json_format import ParseDict
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.log_pb2 import OUTCOME_SUCCESS, Log

_MODELS = ("gpt-4o-mini", "gpt-4.1", "claude-sonnet-5-5", "gemini-2.5-flash", "gpt-4o")
_TEXT = ("Summarise the support ticket below in two sentences and say what the customer wants. " * 4)[:320]


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
    """Return logs of about 1 KB as applications send them: five models, log-normal latencies, all new.

    Every input ends in ``ending``. Logs that follow each other share a trace; 0 a trace gives them none.
    """
    chance = random.Random(seed)
    logs = [_make_application_log(chance, ending) for _ in range(count)]
    if logs_per_trace:
        for begin in range(0, count, logs_per_trace):
            trace_id = f"{chance.getrandbits(128):032x}"
            for log in logs[begin : begin + logs_per_trace]:
                log.trace_id, log.span_id = trace_id, f"{chance.getrandbits(64):016x}"
    return logs


def _make_application_log(chance: random.Random, ending: str) -> Log:
    log = make_log()
    log.MergeFrom(
        Log(
            session_id=str(uuid.UUID(int=chance.getrandbits(128))),
            model=chance.choice(_MODELS),
            operation="chat",
            input_token_count=chance.randrange(10, 3000),
            output_token_count=chance.randrange(10, 800),
            input_preview=_TEXT + ending,
            output_preview=_TEXT,
            user_id=f"user-{chance.randrange(1000)}",
            finish_reason="stop",
            environment="production",
            streamed=True,
            metadata={"tenant": f"t{chance.randrange(20)}"},
        )
    )
    log.total_token_count = log.input_token_count + log.output_token_count
    log.latency.FromMicroseconds(int(chance.lognormvariate(13, 0.8)))
    log.time_to_first_token.FromMicroseconds(log.latency.ToMicroseconds() // 4)
    return log
