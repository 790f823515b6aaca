"""Valid logs, and requests that carry them."""

from __future__ import annotations

import time
import uuid
from typing import Any

from google.protobuf.json_format import ParseDict
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.log_pb2 import OUTCOME_SUCCESS, Log


def make_log(**fields: Any) -> Log:
    """A valid, successful log; message fields are given as protobuf JSON."""
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
    return IngestLogsRequest(logs=logs)
