"""The rules of what a producer reports of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from server.rpc.checks import check_text, parse_uuid
from server.rpc.errors import InvalidField

if TYPE_CHECKING:
    from llm_observe.v1.ingest_service_pb2 import ProducerReport

_DROP_REASONS: Final = 50


def check_producer(producer: ProducerReport) -> None:
    """Check a producer's account of itself; one that names no producer counts for nothing.

    Raises:
        InvalidField: It cannot be true.
    """
    if not producer.producer_id:
        return
    parse_uuid("producer.producer_id", producer.producer_id)
    if producer.batch_number < 1:
        raise InvalidField([("producer.batch_number", "counts from 1")])
    totals = (producer.logged_count, producer.sent_count, *producer.dropped_counts.values())
    if min(totals) < 0:
        raise InvalidField([("producer", "counts must not be negative")])
    if len(producer.dropped_counts) > _DROP_REASONS:
        raise InvalidField([("producer.dropped_counts", f"at most {_DROP_REASONS} reasons")])
    check_text("producer.sdk_name", producer.sdk_name, max_chars=64)
    check_text("producer.sdk_version", producer.sdk_version, max_chars=64)


def peer_of(context: Any) -> str:
    """Return who calls, without the port: connections of one machine count together."""
    peer: str = context.peer()
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else peer
