"""A log line says where an error came from, never its text."""

from __future__ import annotations

import json
import logging

import pytest
import structlog
from structlog.testing import capture_logs

from telemetry.logging import LogSettings
from telemetry.settings import SettingsError, load_settings
from tests.support.log_lines import logging_to


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "log"
    with logging_to(path):
        yield lambda: [json.loads(line) for line in path.read_text().splitlines()]


def test_a_logger_that_was_used_is_free_again(lines):
    logger = structlog.get_logger("free")
    logger.info("once")
    assert [line["event"] for line in lines()] == ["once"]
    structlog.reset_defaults()
    with capture_logs() as captured:
        logger.info("twice")
    assert [line["event"] for line in captured] == ["twice"]


def fail_deeply(depth: int) -> None:
    if depth:
        fail_deeply(depth - 1)
    raise ValueError("a prompt")


@pytest.mark.parametrize("source", ["structlog", "logging", "an exception", "no exception"])
def test_an_errors_text_is_dropped_and_its_location_kept(lines, source):
    try:
        fail_deeply(30)
    except ValueError as error:
        if source == "structlog":
            structlog.get_logger("t").exception("it failed")
        elif source == "logging":
            logging.getLogger("t").exception("it failed")
        elif source == "an exception":
            structlog.get_logger("t").error("it failed", exc_info=error)
    if source == "no exception":
        structlog.get_logger("t").error("it failed", exc_info=True)
    (line,) = lines()
    assert line["event"] == "it failed"
    assert line["process"] == "test"
    assert "prompt" not in json.dumps(line)
    if source != "no exception":
        assert line["error_type"] == "ValueError"
        assert len(line["error_at"]) == 12
        assert line["error_at"][-1].startswith("test_logging.py:")
        assert line["error_at"][-1].endswith(" fail_deeply")


def test_an_invalid_level_is_named(monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_LOG_LEVEL", "LOUD")
    with pytest.raises(SettingsError, match="LLM_OBSERVE_LOG_LEVEL"):
        load_settings(LogSettings)
