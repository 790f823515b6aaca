from collections.abc import Callable, Sequence
from typing import Any

from storage.ledger import BatchReport
from storage.log_writes import Sums
from worker.reading import ArrivedLog

def other_fields(payload: bytes) -> bytes | None: ...
def read_logs(
    payload: bytes,
    batch: BatchReport,
    screen: bool,
    redact: Callable[[bytes], bytes],
    plain_log: Callable[[bytes], ArrivedLog],
) -> list[ArrivedLog]: ...
def add_up(logs: Sequence[Any]) -> Sums: ...
