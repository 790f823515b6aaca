"""ClickHouse answers every report as DuckDB does, over the same files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pytest

from analytics.engines.dialects import CLICKHOUSE, translate
from analytics.engines.views import view
from analytics.reports.catalogue import Statement
from tests.support.engines import (
    CHOICES,
    DEFAULTS,
    EVERY_DIMENSION,
    EVERY_TEXT,
    LARGEST,
    PROJECT,
    SOME_DIMENSIONS,
    assert_equal,
    expected,
    logs_of,
    rows_of,
)

Ask: TypeAlias = Callable[[str, Statement], list[tuple[Any, ...]]]
pytestmark = pytest.mark.clickhouse
_AS_TEXT = "output_format_arrow_string_as_string = 1"


@pytest.fixture(scope="session")
def ask(lake: Path) -> Iterator[Ask]:
    """Asks one project's logs."""
    from chdb import session  # noqa: PLC0415 - `make test-engines` alone has it

    server = session.Session()

    def ask_project(project: str, statement: Statement) -> list[tuple[Any, ...]]:
        server.query(view("clickhouse", logs_of(lake, project)))
        answer = server.query(f"{translate(statement, CLICKHOUSE)}, {_AS_TEXT}", "ArrowStream")
        return rows_of(pa.ipc.open_stream(answer.bytes()).read_all())

    yield ask_project
    server.close()


@pytest.mark.parametrize(
    "case", [*DEFAULTS, *CHOICES, *SOME_DIMENSIONS, *EVERY_DIMENSION, *EVERY_TEXT], ids=str
)
def test_an_answer_is_duckdbs(lake, ask, case):
    wanted = expected(lake, PROJECT, case.statement())
    assert wanted
    assert_equal(ask(PROJECT, case.statement()), wanted)


@pytest.mark.parametrize("case", DEFAULTS, ids=str)
def test_sums_that_no_number_can_hold_are_null_as_in_duckdb(lake, ask, case):
    assert_equal(ask(LARGEST, case.statement()), expected(lake, LARGEST, case.statement()))
