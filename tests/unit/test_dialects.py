"""Reports in other engines' SQL: what can be said of it without the engine (tests/engines runs it)."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from analytics.engines.dialects import DIALECTS, TRINO, Dialect, translate
from analytics.engines.scripts import FOLDER, scripts
from analytics.reports.catalogue import reports
from tests.support.engines import DEFAULTS, EVERY_TEXT, VARIANTS, WINDOW

CASES = [*DEFAULTS, *VARIANTS, *EVERY_TEXT]


def _name(dialect: Dialect) -> str:
    return dialect.name


@pytest.mark.parametrize("dialect", DIALECTS, ids=_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_translated_report_is_one_select_of_the_engine_that_binds_nothing(case, dialect):
    (tree,) = sqlglot.parse(translate(case.statement(), dialect), read=dialect.name)
    assert isinstance(tree, exp.Select)
    assert not list(tree.find_all(exp.Placeholder, exp.Parameter))


@pytest.mark.parametrize("dialect", DIALECTS, ids=_name)
def test_columns_keep_their_names_and_order(dialect):
    for name, report in reports().items():
        tree = sqlglot.parse_one(translate(report.statement({}, WINDOW), dialect), read=dialect.name)
        assert tree.named_selects == [column.name for column in report.columns], name


@pytest.mark.parametrize("case", CASES, ids=str)
def test_trino_groups_by_no_alias(case):
    tree = sqlglot.parse_one(translate(case.statement(), TRINO), read="trino")
    for group in tree.find_all(exp.Group):
        selected = group.find_ancestor(exp.Select).expressions
        aliases = {each.alias for each in selected if each.alias}
        assert not aliases & {each.name for each in group.expressions if isinstance(each, exp.Column)}


def test_the_scripts_are_fresh():
    written = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
    assert written == scripts(), "run `make docs`"
