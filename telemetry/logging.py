"""Logging: one JSON line an event, constant event names, sizes and ids only, never prompts or keys."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from typing import TYPE_CHECKING, Final

import structlog
from pydantic import Field

from telemetry.settings import EnvSettings

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

_FILE_MAX_BYTES: Final = 10 * 1024 * 1024
_FILES_KEPT: Final = 3


class LogSettings(EnvSettings):
    """Where log lines go."""

    level: str = Field("INFO", alias="LLM_OBSERVE_LOG_LEVEL")
    """Lowest level that is written."""
    file: str = Field("", alias="LLM_OBSERVE_LOG_FILE")
    """File to write to, rotated at 10 MB, three kept; empty means stderr."""


def start_logging(settings: LogSettings, *, process: str) -> None:
    """Send structlog and the standard library's loggers through one JSON formatter."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(process),
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


def _named(process: str) -> Processor:
    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return add


def _drop_error_text(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Keep where an exception came from, and drop its text: that may quote a prompt or a key."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and info[0] is not None:
        event["error_type"] = info[0].__name__
        event["error_at"] = _frames(info[2])
    return event


def _frames(trace: object) -> list[str]:
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code  # type: ignore[attr-defined] # sys.exc_info gives a TracebackType
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")  # type: ignore[attr-defined] # as above
        trace = trace.tb_next  # type: ignore[attr-defined] # as above
    return frames[-12:]
