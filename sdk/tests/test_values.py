"""How values of any type are converted to the type of a field."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from llm_observe import _values, limits
from llm_observe._providers.errors import code_by_class
from llm_observe._values import (
    clean,
    to_content,
    to_count,
    to_duration_ns,
    to_flag,
    to_http_status,
    to_pairs,
    to_tags,
    to_text,
    to_time_ns,
    to_uuid,
)
from odd import ODD, Kind, Level, LongText, Model, NoTextError, json_values

ID = "0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
CONVERSIONS = [getattr(_values, name) for name in dir(_values) if name.startswith("to_")]


def test_to_text():
    table: list[tuple[Any, str]] = [
        ("text", "text"),
        (None, ""),
        (42, "42"),
        (True, "True"),
        (Model.MINI, "gpt-mini"),
        (Kind.CHAT, "chat"),
        (Level.HIGH, "12"),
        (uuid.UUID(ID), ID),
        (b"a\xff", "a\ufffd"),
        (LongText("its own text"), "its own text"),
        ({"a": ["b", 1, None]}, '{"a": ["b", 1, null]}'),
        ([Model.MINI, uuid.UUID(ID)], f'["gpt-mini", "{ID}"]'),
        ({"wörld": "🌍"}, '{"wörld": "🌍"}'),
        ({(1, 2): "a"}, "{(1, 2): 'a'}"),
        (ValueError("no"), "no"),
        (ValueError(), "ValueError"),
        (NoTextError(), "<NoTextError>"),
        (10**5000, "<int>"),
        (np.int64(12), "12"),
    ]
    for value, text in table:
        assert to_text(value) == text
        assert type(to_text(value)) is str


def test_to_content():
    for value, text in [
        ("text", "text"),
        ([{"type": "text", "text": "all "}, {"type": "text", "text": "well"}], "all well"),
        (["all ", {"text": "well"}], "all well"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}], ""),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "what?"}], "what?"),
        ([], ""),
        ({"a": 1}, '{"a": 1}'),
        ([1, 2], "[1, 2]"),
        ([{"role": "user", "content": "hi"}], '[{"role": "user", "content": "hi"}]'),
        (None, ""),
        (5, "5"),
    ]:
        assert to_content(value) == text


def test_to_count():
    for value in (12, 12.0, "12", " 12 ", np.int64(12), np.float32(12), Decimal(12), Level.HIGH):
        assert to_count(value) == 12
    assert (to_count(0), to_count(limits.MAX_COUNT)) == (0, limits.MAX_COUNT)


def test_to_count_returns_none_for_other_values():
    odd: tuple[Any, ...] = (
        float("nan"),
        float("inf"),
        Decimal("sNaN"),
        "9" * 9_000,
        [12],
        {},
        b"12",
        uuid.UUID(ID),
    )
    for value in (-1, limits.MAX_COUNT + 1, 1.5, "1.5", "many", "", None, True, False, *odd):
        assert to_count(value) is None


def test_to_http_status():
    assert list(map(to_http_status, (429, "503", 0, 600, None))) == [429, 503, None, None, None]


def test_to_duration_ns():
    durations: tuple[Any, ...] = (1.5, "1.5", timedelta(seconds=1.5), np.float64(1.5))
    assert set(map(to_duration_ns, durations)) == {1_500_000_000}
    assert to_duration_ns(0) == 0
    others: tuple[Any, ...] = (
        -1,
        float("nan"),
        float("inf"),
        10**400,
        limits.MAX_LATENCY_S + 1,
        True,
        "fast",
        [],
        None,
    )
    assert set(map(to_duration_ns, others)) == {None}


def test_to_time_ns():
    assert to_time_ns(datetime(2026, 1, 2, tzinfo=UTC)) == 1_767_312_000 * 10**9
    naive = (ODD["first datetime"], datetime.max)  # noqa: DTZ901 - the point
    for value in (*naive, datetime(1969, 1, 1, tzinfo=UTC), "now", 5, None):
        assert to_time_ns(value) is None


def test_to_uuid_normalises_its_form():
    assert set(map(to_uuid, (uuid.UUID(ID), ID, ID.upper(), ID.replace("-", "")))) == {ID}
    assert set(map(to_uuid, (None, "", "42", 42, f"{ID}0", "z" * 32))) == {""}


def test_to_tags():
    for value, tags in [
        ("beta", ("beta",)),
        (["beta", 2], ("beta", "2")),
        ({"beta"}, ("beta",)),
        (Model.MINI, ("gpt-mini",)),
        (b"beta", ("beta",)),
        (7, ("7",)),
        (None, ()),
        ((), ()),
    ]:
        assert to_tags(value) == tags


def test_to_pairs():
    for value, pairs in [
        ({"a": 1}, (("a", "1"),)),
        ([("a", "b"), ["c", None]], (("a", "b"), ("c", ""))),
        ({Kind.CHAT: Model.MINI}, (("chat", "gpt-mini"),)),
        (["no", ("a", "b", "c"), ("d", "e")], (("d", "e"),)),
        ("text", ()),
        (5, ()),
        (None, ()),
    ]:
        assert to_pairs(value) == pairs


def test_unstorable_characters_are_replaced():
    for text, repaired in [
        ("a\x00b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d" + "\ude00", "😀"),
        ("wörld 🌍", "wörld 🌍"),
    ]:
        assert clean(text) == repaired


def test_to_flag_is_false_when_bool_raises():
    assert list(map(to_flag, (1, "yes", 0, None, ODD["raises"]))) == [True, True, False, False, False]


@pytest.mark.parametrize("kind", ODD)
def test_no_conversion_raises(kind):
    for convert in CONVERSIONS:
        convert(ODD[kind])
    clean(to_text(ODD[kind])).encode()


@given(json_values)
@settings(derandomize=True, deadline=None)
def test_no_conversion_raises_for_any_json(value: Any):
    for convert in CONVERSIONS:
        convert(value)
    clean(to_text(value)).encode()


class _NamelessMeta(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override] # as hostile as it can be
        raise RuntimeError


def test_a_type_whose_name_raises_is_still_named():
    class Nameless(Exception, metaclass=_NamelessMeta):
        def __str__(self) -> str:
            raise RuntimeError

    assert to_text(Nameless()) == "<Nameless>"
    assert code_by_class(Nameless()) == "Nameless"
