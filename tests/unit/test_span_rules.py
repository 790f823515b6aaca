"""Every rule of a span that a producer sends: what breaks it is named, and never shown."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from google.protobuf.struct_pb2 import Value
from llm_observe import limits
from llm_observe.v1.span_pb2 import Span

from codec.span_rules import find_span_violation
from tests.support.spans import make_span

NOW_S = time.time()
DAY_S = 24 * 3600
CANARY = "canary"


def with_attribute(**value: object) -> Callable[[Span], None]:
    return lambda span: span.attributes.fields["k"].CopyFrom(Value(**value))  # type: ignore[arg-type] # any kind


def too_many(span: Span) -> None:
    for number in range(limits.MAX_SPAN_ATTRIBUTES + 1):
        span.attributes[f"k{number}"] = number


BREAKING: dict[str, tuple[str, Callable[[Span], object]]] = {
    "no trace": ("trace_id", lambda span: span.ClearField("trace_id")),
    "trace of zeros": ("trace_id", lambda span: setattr(span, "trace_id", "0" * 32)),
    "upper case": ("span_id", lambda span: setattr(span, "span_id", "A" * 16)),
    "short parent": ("parent_span_id", lambda span: setattr(span, "parent_span_id", CANARY)),
    "a log": ("log_id", lambda span: setattr(span, "log_id", CANARY)),
    "no name": ("name", lambda span: span.ClearField("name")),
    "unknown status": ("status", lambda span: setattr(span, "status", 9)),
    "no start": ("start_time", lambda span: span.ClearField("start_time")),
    "no end": ("end_time", lambda span: span.ClearField("end_time")),
    "before 1970": ("start_time", lambda span: setattr(span.start_time, "seconds", -1)),
    "odd nanos": ("end_time", lambda span: setattr(span.end_time, "nanos", -1)),
    "tomorrow": ("start_time", lambda span: span.start_time.FromSeconds(int(NOW_S) + 2 * DAY_S)),
    "ends before": ("end_time", lambda span: span.end_time.FromSeconds(span.start_time.seconds - 1)),
    "too long": ("end_time", lambda span: span.start_time.FromSeconds(span.start_time.seconds - 8 * DAY_S)),
    "too many": ("attributes", too_many),
    "empty key": ("attributes", lambda span: span.attributes.update({"": 1})),
    "long key": ("attributes", lambda span: span.attributes.update({CANARY * 20: 1})),
    "null": ("attributes", with_attribute(null_value=0)),
    "no kind": ("attributes", with_attribute()),
    "a list": ("attributes", lambda span: span.attributes.update({"k": [CANARY]})),
    "a mapping": ("attributes", lambda span: span.attributes.update({"k": {"k": CANARY}})),
    "not a number": ("attributes", with_attribute(number_value=float("nan"))),
    "infinite": ("attributes", with_attribute(number_value=float("inf"))),
    **{
        f"long {field}": (field, lambda span, field=field, most=most: setattr(span, field, "x" * (most + 1)))  # type: ignore[misc] # mypy cannot infer defaults
        for field, most in limits.MAX_SPAN_TEXT_CHARS.items()
    },
}


@pytest.mark.parametrize("case", BREAKING)
def test_what_breaks_a_rule_is_named(case):
    field, damage = BREAKING[case]
    span = make_span()
    damage(span)
    violation = find_span_violation(span, NOW_S)
    assert violation is not None
    assert violation.startswith(f"{field}: ")
    assert CANARY not in violation


def test_all_at_their_limits_is_valid():
    span = make_span()
    for field, most in limits.MAX_SPAN_TEXT_CHARS.items():
        setattr(span, field, "x" * most)
    span.parent_span_id, span.status_message = "f" * 16, "x" * 5_000
    for number in range(limits.MAX_SPAN_ATTRIBUTES):
        span.attributes[f"k{number}"] = number if number % 2 else "x" * 5_000
    assert find_span_violation(span, NOW_S) is None
