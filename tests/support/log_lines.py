"""Log lines as a process writes them, for the duration of a test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from telemetry.logging import LogSettings, start_logging


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Write the log lines of this process to a file, as its own ``main`` would."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    start_logging(LogSettings(file=str(path)), process="test")
    # A logger used meanwhile would keep the configuration for good, and other tests capture its lines.
    structlog.configure(cache_logger_on_first_use=False)
    try:
        yield
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
