"""Reports in other engines' SQL: what can be said of it without the engine (tests/engines runs it)."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from analytics.engines.dialects import DIALECTS, TRINO, Dialect, translate
from analytics.engines.scripts import FOLDER, scripts
from analytics.reports.catalogue import reports
from tests.support.engines import CHOICES, DEFAULTS, EVERY_TEXT, SOME_DIMENSIONS, WINDOW

CASES = [*DEFAULTS, *CHOICES, *SOME_DIMENSIONS, *EVERY_TEXT]


def _name(dialect: Dialect) -> str:
    return dialect.name


@pytest.mark.parametrize("dialect", DIALECTS, ids=_name)
def test_a_translated_report_is_one_select_of_the_engine_that_binds_nothing(dialect):
    for case in CASES:
        (tree,) = sqlglot.parse(translate(case.statement(), dialect), read=dialect.name)
        assert isinstance(tree, exp.Select), case
        assert not list(tree.find_all(exp.Placeholder, exp.Parameter)), case


@pytest.mark.parametrize("dialect", DIALECTS, ids=_name)
def test_columns_keep_their_names_and_order(dialect):
    for name, report in reports().items():
        tree = sqlglot.parse_one(translate(report.statement({}, WINDOW), dialect), read=dialect.name)
        assert isinstance(tree, exp.Select)
        assert tree.named_selects == [column.name for column in report.columns], name


@pytest.mark.parametrize("case", DEFAULTS, ids=str)
def test_trino_groups_by_no_alias(case):
    tree = sqlglot.parse_one(translate(case.statement(), TRINO), read="trino")
    for group in tree.find_all(exp.Group):
        assert isinstance(group.parent, exp.Select)
        aliases = {each.alias for each in group.parent.expressions if each.alias}
        assert not aliases & {each.name for each in group.expressions if isinstance(each, exp.Column)}


def test_the_scripts_are_fresh():
    written = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
    assert written == scripts(), "run `make docs`"
