"""The loader of named queries."""

from __future__ import annotations

import pytest

from storage.sql import load_queries


@pytest.fixture
def query(tmp_path):
    (tmp_path / "q.sql").write_text(
        "-- part: chosen\nb = :b\n\n"
        "-- name: find\n-- Finds. Not :this.\n"
        "SELECT a::text FROM t WHERE a = :a::text AND\n  -- use: chosen\nOR a = :a::text\n"
    )
    return load_queries(str(tmp_path / "q.py"))["find"]


def test_named_arguments_become_positional_and_casts_stay(query):
    assert query.text == "SELECT a::text FROM t WHERE a = $1::text AND\nb = $2\nOR a = $1::text"
    assert query.args(b=2, a=1) == (1, 2)


@pytest.mark.parametrize("values", [{"a": 1}, {"a": 1, "b": 2, "c": 3}])
def test_missing_and_unknown_arguments_are_refused(query, values):
    with pytest.raises(TypeError, match="find: missing or unknown"):
        query.args(**values)


def test_a_name_may_have_digits(tmp_path):
    (tmp_path / "q.sql").write_text("-- name: find\nSELECT :kept_1h_count::bigint, :kept_::bigint, a[1:2]\n")
    query = load_queries(str(tmp_path / "q.py"))["find"]
    assert query.text == "SELECT $1::bigint, $2::bigint, a[1:2]"
    assert query.parameters == ("kept_1h_count", "kept_")
