"""Every report is what its header says, over any logs, and takes no parameter that it should not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analytics.lake.schema import SCHEMA
from analytics.reports import header
from analytics.reports.catalogue import reports
from analytics.reports.dimensions import DIMENSIONS
from analytics.reports.document import PATH, document
from analytics.reports.parameters import MAX_TEXT_CHARS, ParameterInvalid
from tests.support.history import WEEK, ask, make_row, random_rows, table_of

NAMES = list(reports())
CHOICES = [
    (name, parameter.name, value)
    for name, report in reports().items()
    for parameter in report.parameters
    for value in parameter.allowed_values
]
STORM = [make_row(number, outcome="error", at_s=7) for number in range(1000, 1012)]
ROWS = [*random_rows(500), *STORM]
LOGS = table_of(ROWS)
LARGEST = make_row(0, **{name: 2**63 - 1 for name in SCHEMA.names if name.endswith(("token_count", "_usd"))})


def declared(name: str) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in reports()[name].columns]


def test_there_are_the_reports_that_the_product_promises():
    assert len(NAMES) >= 15
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_has_the_declared_columns(name):
    answer = ask(name, LOGS)
    assert answer.columns == declared(name)
    assert answer.rows


@pytest.mark.parametrize("name", NAMES)
def test_no_logs_give_an_empty_answer_of_the_same_types(name):
    answer = ask(name, [])
    assert answer.columns == declared(name)
    assert answer.rows == []


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_does_not_depend_on_the_order_of_logs(name):
    assert ask(name, LOGS).rows == ask(name, ROWS[::-1]).rows


@pytest.mark.parametrize("name", NAMES)
def test_the_largest_counts_make_no_report_fail(name):
    ask(name, [LARGEST, {**LARGEST, "log_id": "1"}, {**LARGEST, "log_id": "2", "outcome": "cancelled"}])


@pytest.mark.parametrize(("name", "parameter", "value"), CHOICES)
def test_every_choice_gives_the_same_columns(name, parameter, value):
    assert ask(name, LOGS, **{parameter: value}).columns == declared(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_texts_of_a_report_are_sentences(name):
    report = reports()[name]
    texts = [report.answers, *(each.description for each in report.parameters)]
    texts += [each.description for each in report.columns]
    assert all(text.endswith(".") for text in texts)
    assert not report.title.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_values_that_a_caller_may_give(name):
    report = reports()[name]
    defaults = {parameter.name: parameter.default for parameter in report.parameters}
    assert report.statement(defaults, WEEK) == report.statement({}, WEEK)


@pytest.mark.parametrize("name", NAMES)
def test_a_statement_has_no_placeholder_left_and_binds_what_it_names(name):
    statement = reports()[name].statement({}, WEEK)
    assert not re.search(r"{[a-z_]+}", statement.sql)
    assert set(re.findall(r"\$(\w+)", statement.sql)) == statement.parameters.keys()


@pytest.mark.parametrize("name", NAMES)
def test_columns_that_are_no_word_of_a_report_do_not_change_its_answer(name):
    words = reports()[name].words() | {"start_time", "date", "hour"}
    without = [{key: value if key in words else None for key, value in row.items()} for row in ROWS]
    assert ask(name, without).rows == ask(name, LOGS).rows


def test_metadata_is_a_dimension_by_its_key():
    rows = [make_row(1, metadata=[("tenant", "a")]), make_row(2, metadata=[("other", "a")]), make_row(3)]
    answer = ask("error-rates", rows, dimension="metadata", metadata_key="tenant")
    assert answer.select("value", "request_count") == [("", 2), ("a", 1)]


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_every_dimension_counts_every_log_once(dimension):
    answer = ask("error-rates", LOGS, dimension=dimension, metadata_key="tenant", limit=10_000)
    assert sum(answer.column("request_count")) == len(ROWS)
    assert None not in answer.column("value")


HOSTILE = (
    "'",
    '"',
    "; DROP TABLE logs",
    "provider",
    "all); --",
    "{limit}",
    "$limit",
    "",
    " model",
    "MODEL",
    "\x00",
)


@pytest.mark.parametrize("value", [value for value in HOSTILE if value not in DIMENSIONS])
def test_a_dimension_is_one_of_the_list(value):
    with pytest.raises(ParameterInvalid, match=r"dimension: must be one of all, provider, "):
        ask("cost", LOGS, dimension=value)


@pytest.mark.parametrize(
    "value", ["", "x", "1.5", "1e3", "0x1", "9" * 5000, "0", "10001", "-1", "1\x00", "$limit"]
)
def test_a_number_is_a_number_within_bounds(value):
    with pytest.raises(ParameterInvalid, match="limit: must ") as caught:
        ask("cost", LOGS, limit=value)
    assert not value or value not in str(caught.value) or value in {"0", "1"}


@pytest.mark.parametrize("value", ["a" * (MAX_TEXT_CHARS + 1), "\x00"])
def test_a_text_is_bounded(value):
    with pytest.raises(ParameterInvalid, match="metadata_key: must "):
        ask("cost", LOGS, dimension="metadata", metadata_key=value)


@pytest.mark.parametrize("value", HOSTILE[:-1])
def test_a_text_is_bound_and_never_part_of_a_statement(value):
    rows = [make_row(1, metadata=[(value, "here")]), make_row(2)]
    answer = ask("cost", rows, dimension="metadata", metadata_key=value)
    assert sorted(answer.column("value")) == ["", "here"]


def test_a_parameter_that_a_report_does_not_have_is_refused():
    with pytest.raises(ParameterInvalid, match="window_start: is no parameter of this report, which has"):
        ask("cost", LOGS, window_start="2026-01-01")


GOOD = (
    "-- title: T\n-- answers: A.\n-- parameter: n integer = 1 (1 to 5) | N.\n"
    "-- column: n BIGINT | N.\nSELECT 1"
)


def test_a_header_is_read():
    found, statement = header.split(GOOD)
    assert statement == "SELECT 1"
    assert (found.title, found.answers, found.columns) == ("T", "A.", (("n", "BIGINT", "N."),))
    assert (found.parameters[0].bounds, found.parameters[0].description) == ((1, 5), "N. From 1 to 5.")


@pytest.mark.parametrize(
    "wrong",
    [
        GOOD.replace("-- title: T\n", ""),
        GOOD.replace("-- column: n BIGINT | N.\n", ""),
        GOOD.replace("-- answers", "-- questions"),
        GOOD.replace("integer", "int"),
        GOOD.replace("1 to 5", "1..5"),
        GOOD.replace("BIGINT |", "BIGINT"),
        GOOD.replace("-- title", "--title"),
        GOOD.replace("-- answers: A.", "-- title: A."),
    ],
)
def test_a_header_with_a_mistake_is_refused(wrong):
    with pytest.raises(ValueError, match="header"):
        header.split(wrong)


def test_every_sql_file_is_a_report():
    folder = Path(header.__file__).with_name("sql")
    assert {path.name for path in folder.iterdir()} == {f"{name}.sql" for name in NAMES}


def test_the_documentation_is_fresh():
    assert PATH.read_text("utf-8") == document(), "run `make docs`"
