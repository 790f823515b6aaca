"""What a query can end with. Every message is a sentence for the person who wrote the SQL."""

from __future__ import annotations

from typing import Literal, TypeAlias

Rule: TypeAlias = Literal[
    "empty", "length", "one-statement", "select-only", "external-access", "configuration"
]
"""Why SQL is refused before or while it is planned."""
Limit: TypeAlias = Literal["memory", "cpu", "time", "row-size", "complexity"]
"""What a query used too much of."""


class SandboxError(Exception):
    """Base of everything that a query ends with; ``sentence`` is for the user."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.cpu_s = 0.0
        """CPU time the query took; 0 where it did not run."""
        self.peak_bytes = 0
        """Most memory (resident) its process had; 0 where it did not run."""


class SqlRefused(SandboxError):
    """The SQL asks for something that is not allowed; ``rule`` says which rule it breaks."""

    def __init__(self, rule: Rule, sentence: str) -> None:
        super().__init__(sentence)
        self.rule: Rule = rule


class SqlFailed(SandboxError):
    """DuckDB cannot parse, plan or compute it; the sentence is DuckDB's own message without paths.

    The message may quote the SQL and values of the project's logs: show it to the caller, do not log it.
    """


class SqlLimitExceeded(SandboxError):
    """The query used more than it may of what ``limit`` says. Rows and bytes are cut instead, see ``End``."""

    def __init__(self, limit: Limit, sentence: str) -> None:
        super().__init__(sentence)
        self.limit: Limit = limit


class SourceUnavailable(SandboxError):
    """A file of the lake is missing, unreadable, or no Parquet file. Trying again may help."""


class QueryProcessLost(SandboxError):
    """The process ended without an answer: killed, or crashed. Trying again may help."""


class QueryProcessesBusy(SandboxError):
    """No process became free in time, or too many queries wait already. Try again later."""
