"""Answers a question from the lake and from Postgres, in a process of its own."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from analytics.lake.store import LakeUnavailable
from analytics.reports.history import TooManyLiveLogs, is_intact, read_history
from analytics.sandbox.errors import QueryProcessesBusy, QueryProcessLost, SourceUnavailable
from analytics.sandbox.query import Query, Source
from server.rpc.errors import LakeIsBehind, LakeIsUnavailable, ServerIsBusy

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from analytics.reports.history import History, LiveLimits
    from analytics.reports.local_files import LocalFiles
    from analytics.sandbox.processes import QueryProcesses
    from analytics.sandbox.query import Limits, Parameter, Part
    from analytics.windows import Window
    from server.reports.turns import Turns
    from storage.pool import Database

logger = structlog.get_logger("server.reports.answers")

_ATTEMPTS: Final = 3
"""How often files may be replaced while they are read; each is, once an hour, while late logs come."""


class Question(NamedTuple):
    """SQL about the logs of a project and a window."""

    sql: str
    project_id: str
    window: Window
    limits: Limits
    parameters: Mapping[str, Parameter]
    columns: Collection[str] | None = None
    """Those that are needed; None means all."""
    trusted: bool = False
    """Whether the SQL is the product's own."""


class Answer(NamedTuple):
    """All parts of an answer."""

    parts: Sequence[Part]
    lake_time: datetime | None
    """Up to when logs were read from the lake's files; None where none was."""


class Answers:
    """Answers questions, a few at a time.

    Args:
        database: Where logs are that the lake does not have.
        lake: None where there is none.
        processes: Run the SQL.
        limits: How much may be read from Postgres for a question.
        turns: Whose question is next.
    """

    def __init__(
        self,
        database: Database,
        lake: LocalFiles | None,
        processes: QueryProcesses,
        limits: LiveLimits,
        turns: Turns,
    ) -> None:
        self._database = database
        self._lake = lake
        self._store = lake.store if lake is not None else None
        self._processes = processes
        self._limits = limits
        self._turns = turns

    async def answer(self, question: Question) -> Answer:
        """Return the answer, which the question's limits bound, once it is known to be right.

        Raises:
            ServerIsBusy, LakeIsBehind, LakeIsUnavailable: The question was not answered.
            SandboxError: The SQL is wrong, or needs too much; see analytics.sandbox.errors.
            StorageError: See storage.errors.
        """
        async with self._turns.take(question.project_id):
            try:
                for _ in range(_ATTEMPTS):
                    history = await self._read_history(question)
                    parts = await self._run(question, history)
                    if parts is not None and await is_intact(self._database, self._store, history):
                        return Answer(parts, history.lake_time)
            except LakeUnavailable as error:
                raise LakeIsUnavailable from error
        logger.warning(
            "files of the lake are gone, broken or changed: `llm-observe export` restores them",
            project_id=question.project_id,
        )
        raise LakeIsUnavailable

    async def _read_history(self, question: Question) -> History:
        try:
            return await read_history(
                self._database,
                self._store,
                question.project_id,
                question.window,
                columns=question.columns,
                limits=self._limits,
            )
        except TooManyLiveLogs as error:
            raise LakeIsBehind(error.limit, has_lake=self._lake is not None) from error

    async def _run(self, question: Question, history: History) -> list[Part] | None:
        """Return the answer's parts; None where a file could not be read, perhaps since it was replaced."""
        try:
            query = Query(
                sql=question.sql,
                source=await self._source(history),
                parameters=question.parameters,
                limits=question.limits,
                trusted=question.trusted,
            )
            async with aclosing(self._processes.run(query)) as parts:
                return [part async for part in parts]
        except SourceUnavailable as error:
            logger.warning(
                "a file of the lake cannot be read", project_id=history.project_id, reason=error.sentence
            )
            return None
        except QueryProcessesBusy as error:
            raise ServerIsBusy("other questions are being answered; retry later") from error
        except QueryProcessLost as error:
            raise ServerIsBusy("the process that ran the query has ended; retry") from error

    async def _source(self, history: History) -> Source:
        files = await self._lake.find(history) if self._lake is not None else ()
        return Source(history.project_id, *history.window, files, history.live)
