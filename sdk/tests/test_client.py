"""LLMClient, log() and configuration."""

from __future__ import annotations

import subprocess
import sys
import uuid
from datetime import UTC, datetime

import llm_observe
import pytest
from llm_observe._config import Config, ConfigError
from llm_observe.redaction import Redactor
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS, Log


def test_demo_chat_returns_its_numbers_and_is_logged(recorder):
    answer = llm_observe.LLMClient("demo").chat("hello there", max_output_tokens=5)
    log = recorder.only
    assert answer.log_id == log.log_id
    assert "demo" in answer.text
    assert (answer.output_tokens, answer.finish_reason) == (5, "length")
    assert (log.outcome, log.provider, log.output_token_count) == (OUTCOME_SUCCESS, "demo", 5)
    assert (answer.latency_s or 0) >= (answer.time_to_first_token_s or 0) > 0


async def test_a_closed_async_stream_is_logged_as_cancelled(recorder):
    client = llm_observe.LLMClient("demo")
    stream = client.astream("hello")
    async for _ in stream:
        break
    await stream.aclose()
    assert recorder.only.outcome == OUTCOME_CANCELLED
    assert stream.result().log_id == recorder.only.log_id
    answer = await client.achat("hello", metadata={"page": "x"})
    assert answer.text
    assert dict(recorder.logs[1].metadata) == {"page": "x"}


def test_a_closed_stream_is_logged_as_cancelled(recorder):
    stream = llm_observe.LLMClient("demo").stream([{"role": "user", "content": "hello"}], system="be brief")
    next(stream)
    stream.close()
    assert recorder.only.outcome == OUTCOME_CANCELLED
    assert recorder.only.input_token_count == 3


def test_a_stream_has_its_log_while_it_runs_and_after(recorder):
    stream = llm_observe.LLMClient("demo").stream("write to bob@example.com", model="demo-echo")
    assert stream.log(Redactor()) is None
    next(stream)
    begun = stream.log(Redactor())
    assert begun is not None
    assert (begun.log_id, begun.provider, begun.output_token_count) == (stream.log_id, "demo", 1)
    for _ in stream:
        pass
    ended, sent = stream.log(Redactor()), Log.FromString(recorder.only.SerializeToString())
    for field in ("environment", "release", "input_preview", "output_preview"):
        sent.ClearField(field)
    assert ended == sent


def test_an_unknown_provider_is_refused():
    with pytest.raises(ValueError, match="provider must be"):
        llm_observe.LLMClient("acme")


def test_log_records_the_given_values(recorder):
    started = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    log_id = llm_observe.log(
        provider="mine",
        model="m1",
        input_text="mail bob@example.com",
        output_text="done",
        start_time=started,
        latency_s=1.5,
        input_tokens=3,
        output_tokens=4,
        outcome="error",
        error_code="boom",
        metadata={"k": "v"},
    )
    log = recorder.only
    assert uuid.UUID(log_id).version == 7
    assert log.log_id == log_id
    assert log.start_time.ToDatetime(tzinfo=UTC) == started
    assert log.latency.ToMilliseconds() == 1500
    assert (log.outcome, log.error_code, log.total_token_count) == (OUTCOME_ERROR, "boom", 7)
    assert log.input_preview == "mail [EMAIL]"


def test_log_refuses_an_unknown_outcome():
    with pytest.raises(ValueError, match="outcome must be"):
        llm_observe.log(provider="mine", model="m", outcome="fine")  # type: ignore[arg-type] # the point


def test_settings_come_from_the_environment_and_errors_name_the_variable(monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", "host:1")
    monkeypatch.setenv("LLM_OBSERVE_CAPTURE_CONTENT", "no")
    monkeypatch.setenv("LLM_OBSERVE_QUEUE_MAX_LOGS", "7")
    config = Config.from_env(release="r1")
    assert (config.endpoint, config.capture_content, config.queue_max_logs, config.release) == (
        "host:1",
        False,
        7,
        "r1",
    )
    for name, value in (("ENDPOINT", "nowhere"), ("QUEUE_MAX_LOGS", "many"), ("BATCH_DELAY_S", "-1")):
        with monkeypatch.context() as patch:
            patch.setenv(f"LLM_OBSERVE_{name}", value)
            with pytest.raises(ConfigError, match=f"LLM_OBSERVE_{name}"):
                Config.from_env()


def test_settings_are_shown_without_the_key():
    shown = repr(Config(endpoint="here:1", api_key="lo-" + "a1b2c3d4"))
    assert "endpoint='here:1', api_key='...'" in shown
    assert "a1b2" not in shown


def test_without_an_endpoint_nothing_is_sent_and_nothing_fails():
    code = "import llm_observe as o; print(o.LLMClient('demo').chat('x', max_output_tokens=1).output_tokens)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("1", "")


def test_exit_reports_the_logs_lost_to_a_dead_collector():
    code = (
        "import time, atexit, llm_observe as o; o.configure(endpoint='127.0.0.1:9', exit_timeout_s=0.5);"
        "[o.log(provider='p', model='m') for _ in range(3)]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600
    )
    assert done.stderr.strip() == "llm_observe: 0 logs sent, 3 dropped"
