"""Assertions on the log of the mocked call, the same for every vendor."""

from __future__ import annotations

from typing import Any

from llm_observe.v1.log_pb2 import OUTCOME_SUCCESS, USAGE_SOURCE_REPORTED, Log


def assert_call(log: Log, vendor: Any, outcome: int) -> None:
    assert log.outcome == outcome
    assert (log.provider, log.operation, log.model) == (vendor.name, "chat", vendor.model)
    assert log.input_preview == "what is up?"
    assert log.latency.ToNanoseconds() > 0
    assert (log.server_address, log.source) == (vendor.address, "llm-observe-python")


def known(log: Log, *names: Any) -> tuple[int | None, ...]:
    """Return numbers of a log, None where they are absent."""
    return tuple(getattr(log, name) if log.HasField(name) else None for name in names)


def assert_success(log: Log, vendor: Any, *, streamed: bool) -> None:
    assert_call(log, vendor, OUTCOME_SUCCESS)
    assert (log.output_preview, log.response_model[-7:]) == ("all is well", "-test-1")
    # Every vendor reports the same usage: cached tokens within input, reasoning within output.
    assert (log.input_token_count, log.output_token_count, log.total_token_count) == (11, 5, 16)
    assert (log.cache_read_token_count, log.reasoning_token_count) == (6, 2)
    assert (log.service_tier, log.provider_response_id) == (vendor.tier, vendor.response_id)
    assert known(log, "audio_input_token_count", "audio_output_token_count") == vendor.audio
    assert known(log, "cache_write_1h_token_count") == (vendor.kept_1h,)
    assert not log.HasField("reported_cost_nano_usd")
    assert log.usage_source == USAGE_SOURCE_REPORTED
    assert log.finish_reason in {"stop", "end_turn", "STOP"}
    assert (log.streamed, log.HasField("time_to_first_token")) == (streamed, streamed)
