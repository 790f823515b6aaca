"""DuckDB's errors as sentences for the person who wrote the SQL."""

from __future__ import annotations

import re
from typing import Final

from analytics.sandbox.errors import (
    SandboxError,
    SourceUnavailable,
    SqlFailed,
    SqlLimitExceeded,
    SqlRefused,
)
from analytics.sandbox.hour_files import SCHEME

MAX_MESSAGE_LENGTH: Final = 1_000
RELATION_LINES: Final = 2
"""Lines that DuckDB puts before a statement while a relation's rows are read."""
_OUT_OF_MEMORY: Final = re.compile(
    r"out of memory|bad_alloc|failed to allocate|cannot allocate|realloc|malloc", re.IGNORECASE
)
_EXTERNAL: Final = re.compile(
    r"^Permission Error|disabled by configuration|external access|read-only (?:mode|transaction)|"
    r"the lake is read-only|there is no lake://|No files found that match|it exists in the \w+ extension",
    re.IGNORECASE,
)
_CONFIGURATION: Final = re.compile(
    r"configuration has been locked|cannot change configuration", re.IGNORECASE
)
_TOO_DEEP: Final = re.compile(
    r"max(?:imum)?[ _]expression[ _]depth|too deep|stack overflow|recursion", re.IGNORECASE
)
_BROKEN_FILE: Final = re.compile(rf"{SCHEME}://date=(\S+?)/hour=(\d\d)/logs\.parquet")
_INTERRUPTED: Final = re.compile(r"^INTERRUPT|Interrupt")
_LINE: Final = re.compile(r"(\n\nLINE )(\d+):")
_PATH: Final = re.compile(r"(?<![\w.:/])/(?:[\w.@+=-]+/)+[\w.@+=-]*")
_NO_TABLE: Final = re.compile(r"^Catalog Error: Table with name (.+?) does not exist!", re.DOTALL)
_PATH_LIKE: Final = re.compile(r"[/\\*]|\.(?:parquet|csv|json|db|duckdb|txt|tsv|gz|zst)$", re.IGNORECASE)
_PYTHON_ERROR: Final = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception): .*", re.MULTILINE)
_INTERNAL: Final = re.compile(r"\n+(?:Stack Trace|Traceback|This error signals).*", re.DOTALL)


def explain(error: BaseException, lines_before: int = 0) -> SandboxError:
    """Return what the caller is told. The message decides: errors that pass through Arrow lose their type.

    Args:
        error: What DuckDB, Arrow or Python raised.
        lines_before: Lines before the statement that the message counts, and the caller does not know.
    """
    message = _without_traceback(str(error))
    message = _LINE.sub(lambda match: f"{match[1]}{int(match[2]) - lines_before}:", message)
    summary = message.split("\n", 1)[0]
    if isinstance(error, MemoryError):
        return memory_exceeded()
    if not summary.startswith("Conversion Error"):  # it quotes a value, which may hold any words
        for pattern, make in _KINDS:
            if pattern.search(summary):
                return make()
    return _missing_table(message) or _broken_file(summary) or SqlFailed(clean(message))


def _without_traceback(message: str) -> str:
    """What Python raised in a callback comes with its traceback, whose last line says what it was."""
    lines = _PYTHON_ERROR.findall(message) if message.startswith("Traceback") else []
    return lines[-1] if lines else message


def _external_access() -> SqlRefused:
    return SqlRefused(
        "external-access",
        "SQL can read the view logs and nothing else: no files, folders, addresses or extensions, and it "
        "cannot write. Replace what is read by logs.",
    )


def _missing_table(message: str) -> SandboxError | None:
    """DuckDB takes names of no table for files, if it may; here it only says that there is no table."""
    match = _NO_TABLE.search(message)
    if match is None:
        return None
    name = match[1]
    if _PATH_LIKE.search(name):
        return _external_access()
    return SqlFailed(f"There is no table {name[:100]}. Logs are in the view logs.")


def _too_deep() -> SqlLimitExceeded:
    return SqlLimitExceeded("complexity", "The statement is nested too deeply; write it with fewer levels.")


def _configuration() -> SqlRefused:
    return SqlRefused("configuration", "Settings of the database cannot be changed here.")


def memory_exceeded() -> SqlLimitExceeded:
    return SqlLimitExceeded(
        "memory",
        "The query needs more memory than it may use. Read fewer days, columns or groups, or make shorter "
        "texts and lists.",
    )


def time_exceeded() -> SqlLimitExceeded:
    return SqlLimitExceeded("time", "The query takes longer than it may. Read fewer days or columns.")


def cpu_exceeded() -> SqlLimitExceeded:
    return SqlLimitExceeded(
        "cpu", "The query needs more CPU time than it may use. Read fewer days or columns."
    )


def clean(message: str) -> str:
    """Return DuckDB's message without paths and tracebacks; at most 1,000 characters."""
    text = _INTERNAL.sub("", message).strip()
    first, separator, excerpt = text.partition("\n")
    text = _PATH.sub("(a path)", first) + separator + excerpt
    return text if len(text) <= MAX_MESSAGE_LENGTH else text[: MAX_MESSAGE_LENGTH - 1] + "…"


def _broken_file(summary: str) -> SourceUnavailable | None:
    """A file that changed or is broken; the name is in the message, as the SQL of users has none."""
    match = _BROKEN_FILE.search(summary)
    if match is None:
        return None
    date, hour = match.groups()
    return SourceUnavailable(
        f"The file of the hour {date} {hour}:00 cannot be read: it is broken, or of another schema."
    )


_KINDS: Final = (
    (_OUT_OF_MEMORY, memory_exceeded),
    (_INTERRUPTED, time_exceeded),
    (_TOO_DEEP, _too_deep),
    (_CONFIGURATION, _configuration),
    (_EXTERNAL, _external_access),
)
