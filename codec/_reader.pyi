from collections.abc import Callable, Sequence

from llm_observe.redaction import Redactor
from llm_observe.v1.ingest_service_pb2 import ProducerReport

from analytics.pricing.book import PriceBook
from codec.batch import ReadBatch
from storage.incoming import BatchReport, IncomingLog, Sums

def read_batch(
    payload: bytes,
    redactor: Redactor,
    prices: PriceBook,
    report_of: Callable[[ProducerReport], BatchReport],
) -> ReadBatch: ...
def add_up(logs: Sequence[IncomingLog]) -> Sums: ...
