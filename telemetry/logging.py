"""Logging: one JSON line per event, constant event names, sizes and ids only, never prompts or keys."""

from __future__ import annotations

import logging
import logging.handlers
import sys
import traceback
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, Literal

import structlog
from pydantic import Field

from telemetry import tracing
from telemetry.settings import EnvSettings

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

_FILE_MAX_BYTES: Final = 10 * 1024 * 1024
_FILES_KEPT: Final = 3
_MAX_FRAMES: Final = 12


class LogSettings(EnvSettings):
    """Where log lines go."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", alias="LLM_OBSERVE_LOG_LEVEL"
    )
    """Lowest level that is written."""
    file: str = Field("", alias="LLM_OBSERVE_LOG_FILE")
    """File to write to, rotated at 10 MB, three kept; empty means stderr."""


def start_logging(settings: LogSettings, *, process: str) -> None:
    """Send structlog and the standard library's loggers through one JSON formatter."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _trace_ids,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _process_name(process),
        _drop_error_text,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = _handler(settings)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level)
    # taskiq logs whole messages when it cannot parse one, and exceptions with their text.
    logging.getLogger("taskiq").setLevel(logging.CRITICAL)
    for noisy in ("httpx2", "httpcore2", "openai", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _handler(settings: LogSettings) -> logging.Handler:
    if not settings.file:
        return logging.StreamHandler(sys.stderr)
    return logging.handlers.RotatingFileHandler(
        settings.file, maxBytes=_FILE_MAX_BYTES, backupCount=_FILES_KEPT, encoding="utf-8"
    )


def _process_name(process: str) -> Processor:
    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return add


def _trace_ids(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Name the span in which a line was logged, where spans are recorded."""
    ids = tracing.current_ids()
    if ids is not None:
        event["trace_id"], event["span_id"] = ids
    return event


def _drop_error_text(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and stack: its text may quote a prompt or a key."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error_type"] = type(error).__name__
        event["error_at"] = _frames(error)
    return event


def _frames(error: BaseException) -> list[str]:
    """Return the innermost frames as ``file.py:12 function``."""
    stack = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=False)
    return [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in stack[-_MAX_FRAMES:]]
