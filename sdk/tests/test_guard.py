"""An internal error may lose a field, but never the log or the application's call."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import llm_observe
import pytest
from llm_observe import _guard, _runtime
from llm_observe._config import Config
from vendor_wire import Anthropic, Gemini, OpenAI

VENDORS: dict[str, Any] = {"openai": OpenAI, "anthropic": Anthropic, "gemini": Gemini}
READERS = {
    "openai": (
        "_describe",
        "read_response",
        "note_ids",
        "_read_usage",
        "_read_choice",
        "read_chunk",
        "read_error",
    ),
    "anthropic": ("note_input", "read_response", "_read_usage", "_read_block", "read_chunk", "read_error"),
    "gemini": ("_note_input", "read_response", "_read_numbers", "_read_content", "read_chunk", "read_error"),
}


def failing(*_: Any, **__: Any) -> Any:
    raise RuntimeError


@pytest.mark.parametrize("ending", ["success", "stream", "error"])
@pytest.mark.parametrize(("name", "reader"), [(name, reader) for name in READERS for reader in READERS[name]])
def test_a_failing_reader_does_not_lose_the_log(recorder, swallowing, monkeypatch, name, reader, ending):
    monkeypatch.setattr(f"llm_observe._providers.{name}.{reader}", failing)
    vendor = VENDORS[name]()
    vendor.wire.ending = "error" if ending == "error" else "success"
    try:
        chunks = list(vendor.stream()) if ending == "stream" else vendor.ask(vendor.client)
        assert chunks
    except vendor.error:
        assert ending == "error"
    log = recorder.only
    assert (log.provider, log.model, log.outcome) == (name, vendor.model, 2 if ending == "error" else 1)


def test_unreadable_usage_does_not_hide_the_text(recorder, swallowing):
    vendor = OpenAI()
    vendor.wire.whole["usage"] = "none today"
    vendor.ask(vendor.client)
    assert recorder.only.output_preview == "all is well"
    assert recorder.only.finish_reason == "stop"


def test_internal_errors_raise_in_tests(recorder):
    with pytest.raises(ZeroDivisionError), _guard.guarded("here"):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        _guard.attempt("here", lambda: 1 / 0)


def test_internal_errors_are_counted_and_their_text_is_not_logged(swallowing, caplog):
    for number in range(3):
        with _guard.guarded("a place of its own"):
            raise ValueError(f"secret {number}")
    assert _guard._error_counts["a place of its own"] == 3
    assert caplog.messages == ["llm_observe internal error, 1 so far, in a place of its own: ValueError"]


def test_an_invalid_setting_never_fails_a_call(monkeypatch, caplog):
    monkeypatch.setattr(_runtime, "_runtime", None)
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", "nowhere")
    llm_observe.log(provider="p", model="m")
    assert llm_observe.flush(0) == (0, 0, 0)
    assert "LLM_OBSERVE_ENDPOINT" in caplog.messages[0]


def test_a_queued_failed_call_keeps_no_application_objects_alive(recorder):
    class Large:
        pass

    held = []

    @llm_observe.observe(provider="p", model="m")
    def ask() -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        ask()
    gc.collect()
    assert recorder.calls
    assert held[0]() is None


def test_delays_too_long_for_a_thread_are_refused():
    for value in (float("inf"), float("nan"), 1e300):
        with pytest.raises(ValueError, match="LLM_OBSERVE_BATCH_DELAY_S"):
            llm_observe.configure(batch_delay_s=value)


def test_a_single_kind_may_be_given_as_a_string(monkeypatch):
    configured: list[Config] = []
    monkeypatch.setattr("llm_observe._api.configure_runtime", lambda config, *_: configured.append(config))
    llm_observe.configure(redaction_disabled_kinds="PHONE")
    llm_observe.configure(redaction_disabled_kinds=["PHONE", "EMAIL"])
    assert [config.redaction_disabled_kinds for config in configured] == ["PHONE", "PHONE,EMAIL"]
