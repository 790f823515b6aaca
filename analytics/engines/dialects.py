"""Translates a report's statement from DuckDB's SQL into that of another engine.

sqlglot does most of it; the rules here are what it leaves to do. Each engine's rules are a table of nodes and
what replaces them. sqlglot is a dependency of development only: nothing that runs in production imports this.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import sqlglot
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from analytics.reports.catalogue import Bound, Statement

    Rule: TypeAlias = Callable[[exp.Expr], exp.Expr]


class Dialect(NamedTuple):
    """How one engine's SQL differs from what sqlglot writes."""

    name: str
    """sqlglot's word for it."""
    title: str
    timestamp: Rule
    """Makes a time of text such as 2026-11-02 00:00:00.000000, which is UTC."""
    rules: Mapping[type[exp.Expr], Rule]
    """What replaces a node of DuckDB's SQL."""
    suffix: str = ""
    """Settings that a statement needs."""


def translate(statement: Statement, dialect: Dialect) -> str:
    """Return the statement in an engine's SQL, with its values in it, each marked by its parameter's name."""
    tree = sqlglot.parse_one(statement.sql, read="duckdb")
    for node in reversed(list(tree.walk())):  # children first
        if isinstance(node, exp.Placeholder):
            node.replace(_literal(node.name, statement.parameters[node.name], dialect))
        elif type(node) in dialect.rules:
            node.replace(dialect.rules[type(node)](node))
    return tree.sql(dialect.name, pretty=True) + dialect.suffix


def _literal(name: str, value: Bound, dialect: Dialect) -> exp.Expr:
    if isinstance(value, datetime):
        made = dialect.timestamp(exp.Literal.string(f"{value:%Y-%m-%d %H:%M:%S.%f}"))
    else:
        made = exp.convert(value)
    made.add_comments([f" {name} "])
    return made


def _call(name: str, *arguments: exp.Expr | str | None) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=[exp.maybe_parse(each) for each in arguments if each])


def _rename(name: str) -> Rule:
    """Return a rule that calls another function with the first two arguments, as far as there are two."""
    return lambda node: _call(name, node.this, node.args.get("expression"))


def _replace_all(name: str) -> Rule:
    return lambda node: _call(name, node.this, node.expression, node.args["replacement"])


def _sum_of(node: exp.Expr) -> exp.Expr | None:
    """Return what is summed where a sum is cast to BIGINT, or null where that cannot hold it."""
    return node.this.this if isinstance(node.this, exp.Sum) else None


def _clickhouse_try_cast(node: exp.Expr) -> exp.Expr:
    # Its sums of Int64 overflow in silence, and its CAST of a larger number does, too.
    summed = _sum_of(node)
    if summed is None:
        return node
    wide = exp.Sum(this=_call("CAST", summed, exp.Literal.string("Nullable(Int128)")))
    return _call("accurateCastOrNull", wide, exp.Literal.string("Int64"))


def _clickhouse_percentile(node: exp.Expr) -> exp.Expr:
    return exp.CombinedParameterizedAgg(
        this="quantileExactInclusive", expressions=[node.expression], params=[node.this]
    )


def _clickhouse_average(node: exp.Expr) -> exp.Expr:
    return exp.Avg(this=_call("toFloat64", node.this))  # of Int64 it would overflow like a sum


def _spark_try_cast(node: exp.Expr) -> exp.Expr:
    summed = _sum_of(node)
    return node if summed is None else _call("TRY_SUM", summed)


def _trino_try_cast(node: exp.Expr) -> exp.Expr:
    summed = _sum_of(node)
    if summed is None:
        return node
    return exp.TryCast(this=exp.Sum(this=exp.cast(summed, "DECIMAL(38, 0)")), to=node.args["to"])


def _trino_group(node: exp.Expr) -> exp.Expr:
    """Group by the place of an alias in SELECT, since the alias itself is not known there."""
    selected = node.parent.expressions if node.parent else []
    places = {each.alias: exp.Literal.number(place) for place, each in enumerate(selected, 1) if each.alias}
    return exp.Group(expressions=[places.get(each.name, each) for each in node.expressions])


CLICKHOUSE: Final = Dialect(
    "clickhouse",
    "ClickHouse",
    timestamp=lambda text: _call("toDateTime64", text, "6", exp.Literal.string("UTC")),
    rules={
        exp.PercentileCont: _clickhouse_percentile,
        exp.RegexpReplace: _replace_all("replaceRegexpAll"),
        exp.TimeToUnix: _rename("toUnixTimestamp"),
        exp.IntDiv: _rename("intDiv"),
        exp.TryCast: _clickhouse_try_cast,
        exp.Avg: _clickhouse_average,
    },
    suffix="\nSETTINGS join_use_nulls = 1",
)
SPARK: Final = Dialect(
    "spark",
    "Spark",
    timestamp=lambda text: exp.cast(exp.Literal.string(f"{text.name} UTC"), "TIMESTAMPTZ"),
    rules={
        exp.PercentileCont: _rename("PERCENTILE"),
        exp.TryCast: _spark_try_cast,
    },
)
TRINO: Final = Dialect(
    "trino",
    "Trino",
    timestamp=lambda text: exp.cast(exp.Literal.string(f"{text.name} UTC"), "TIMESTAMPTZ"),
    rules={
        exp.PercentileCont: _rename("APPROX_PERCENTILE"),
        exp.IntDiv: lambda node: exp.Div(this=node.this, expression=node.expression, typed=True),
        exp.RegexpReplace: _replace_all("REGEXP_REPLACE"),
        exp.Bracket: lambda node: _call("ELEMENT_AT", node.this, *node.expressions),
        exp.TryCast: _trino_try_cast,
        exp.Group: _trino_group,
    },
)
DIALECTS: Final = (CLICKHOUSE, SPARK, TRINO)
