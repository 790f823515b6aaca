"""Spark answers every report as DuckDB does, over the same files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from analytics.engines.dialects import SPARK, translate
from analytics.engines.views import view
from analytics.reports.catalogue import Statement
from tests.support.engines import (
    CHOICES,
    DEFAULTS,
    EVERY_TEXT,
    LARGEST,
    PROJECT,
    assert_equal,
    expected,
    logs_of,
    rows_of,
)

Ask: TypeAlias = Callable[[str, Statement], list[tuple[Any, ...]]]
pytestmark = [
    pytest.mark.spark,
    pytest.mark.filterwarnings("default"),  # pyspark warns of what it uses itself
]
_SETTINGS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
}
"""No step that takes longer to plan or to compile than these small queries to run."""


@pytest.fixture(scope="session")
def ask(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Asks one project's logs."""
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    from pyspark.sql import SparkSession  # noqa: PLC0415 - `make test-engines ENGINES=spark` alone has it

    builder = SparkSession.builder.master("local[2]")
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    warehouse = tmp_path_factory.mktemp("warehouse")
    spark = builder.config("spark.sql.warehouse.dir", str(warehouse)).getOrCreate()

    def ask_project(project: str, statement: Statement) -> list[tuple[Any, ...]]:
        for part in view("spark", logs_of(lake, project)).split(";\n"):
            spark.sql(part)
        return rows_of(spark.sql(translate(statement, SPARK)).toArrow())

    yield ask_project
    spark.stop()


@pytest.mark.parametrize("case", [*DEFAULTS, *CHOICES, *EVERY_TEXT], ids=str)
def test_an_answer_is_duckdbs(lake, ask, case):
    assert_equal(ask(PROJECT, case.statement()), expected(lake, PROJECT, case.statement()))


@pytest.mark.parametrize("case", DEFAULTS, ids=str)
def test_sums_that_no_number_can_hold_are_null_as_in_duckdb(lake, ask, case):
    assert_equal(ask(LARGEST, case.statement()), expected(lake, LARGEST, case.statement()))
