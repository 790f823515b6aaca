from collections.abc import Callable, Sequence
from typing import Any

from llm_observe.redaction import Redactor
from llm_observe.v1.log_pb2 import Log

from codec.reader import ArrivedLog
from storage.ledger import BatchReport
from storage.log_writes import Sums

def other_fields(payload: bytes) -> bytes | None: ...
def read_logs(
    payload: bytes, batch: BatchReport, redactor: Redactor, read_plainly: Callable[[Log], ArrivedLog]
) -> list[ArrivedLog]: ...
def add_up(logs: Sequence[Any]) -> Sums: ...
