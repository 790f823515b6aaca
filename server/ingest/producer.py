"""The rules of a ProducerReport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from server.rpc.checks import check_text, parse_uuid
from server.rpc.errors import InvalidField

if TYPE_CHECKING:
    from llm_observe.v1.ingest_service_pb2 import ProducerReport

_MAX_DROP_REASONS: Final = 50


def check_producer(producer: ProducerReport) -> None:
    """Check what a producer reports of itself; a report without a producer_id is ignored.

    Raises:
        InvalidField: It breaks a rule.
    """
    if not producer.producer_id:
        return
    parse_uuid("producer.producer_id", producer.producer_id)
    if producer.batch_number < 1:
        raise InvalidField([("producer.batch_number", "must be at least 1")])
    totals = (producer.logged_count, producer.sent_count, *producer.dropped_counts.values())
    if min(totals) < 0:
        raise InvalidField([("producer", "counts must not be negative")])
    if len(producer.dropped_counts) > _MAX_DROP_REASONS:
        raise InvalidField([("producer.dropped_counts", f"must have at most {_MAX_DROP_REASONS} reasons")])
    check_text("producer.sdk_name", producer.sdk_name, max_chars=64)
    check_text("producer.sdk_version", producer.sdk_version, max_chars=64)
