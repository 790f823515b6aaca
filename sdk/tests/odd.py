"""Unexpected values: JSON of every kind, and objects that applications may pass."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from itertools import count
from pathlib import PurePosixPath
from typing import Any
from unittest.mock import MagicMock, patch

import numpy as np
from conftest import Recorder
from hypothesis import strategies as st
from llm_observe import _guard, _runtime, limits
from llm_observe.v1.log_pb2 import Log

NO_TEXT = "cannot be shown"


class Model(str, Enum):  # noqa: UP042 - not a StrEnum: str() of it is Model.MINI
    MINI = "gpt-mini"


class Kind(Enum):
    CHAT = "chat"


class Level(IntEnum):
    HIGH = 12


class NoText:
    """Raises on every operation."""

    def __str__(self) -> str:
        raise RuntimeError(NO_TEXT)

    __repr__ = __str__

    def __bool__(self) -> bool:
        raise RuntimeError(NO_TEXT)

    def __len__(self) -> int:
        raise RuntimeError(NO_TEXT)

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError(NO_TEXT)

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(NO_TEXT)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError(NO_TEXT)

    __hash__ = object.__hash__


class UnboundProxy:
    """Raises when isinstance() reads its class, as Flask's proxies do outside a request."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError(NO_TEXT)

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise RuntimeError(NO_TEXT)


class NoTextError(Exception):
    """An exception whose text cannot be read."""

    @property
    def message(self) -> str:
        raise RuntimeError(NO_TEXT)

    def __str__(self) -> str:
        raise RuntimeError(NO_TEXT)


class LongText(str):
    """A string whose methods return wrong values."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another text"

    def __len__(self) -> int:
        return 10**12


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def _deep() -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    return deep


ODD: dict[str, Any] = {
    "none": None,
    "true": True,
    "zero": 0,
    "negative": -1,
    "big": 2**63,
    "huge": 10**5000,
    "fraction": 12.5,
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "digits": "12",
    "empty": "",
    "lone surrogate": "a\ud800b",
    "split pair": "\ud83d",
    "nul": "a\x00b",
    "long": "word " * 4_000,
    "bytes": b"a\xffb",
    "bytearray": bytearray(b"ab"),
    "memoryview": memoryview(b"ab"),
    "list": [],
    "parts": [{"type": "image", "data": "AAAA"}, {"type": "text", "text": "hello"}],
    "list of texts": ["a", "b"],
    "list of numbers": [1, 2.5, None],
    "list of pairs": [("a", "b"), ("c", 1), "no", ("too", "many", "texts")],
    "tuple": ("a", 1),
    "set": {"a"},
    "mapping": {"a": {"b": [1, "\ud800"]}},
    "odd keys": {(1, 2): "a", None: 1, b"k": 2, Model.MINI: 3},
    "circle": _circle(),
    "deep": _deep(),
    "endless": count(),
    "str enum": Model.MINI,
    "enum": Kind.CHAT,
    "int enum": Level.HIGH,
    "uuid": uuid.uuid4(),
    "datetime": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "naive datetime": datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - the point
    "first datetime": datetime.min,  # noqa: DTZ901 - the point
    "last datetime": datetime.max.replace(tzinfo=UTC),
    "date": date(2026, 1, 2),
    "timedelta": timedelta(seconds=3),
    "decimal": Decimal(12),
    "decimal nan": Decimal("sNaN"),
    "ratio": Fraction(1, 3),
    "numpy integer": np.int64(12),
    "numpy float": np.float32(1.5),
    "numpy bool": np.bool_(True),  # noqa: FBT003 - a value
    "numpy array": np.arange(3),
    "path": PurePosixPath("/a/b"),
    "exception": ValueError("no"),
    "exception without text": NoTextError(),
    "raises": NoText(),
    "unbound proxy": UnboundProxy(),
    "lying text": LongText("its own text"),
    "mock": MagicMock(),
    "function": len,
    "class": int,
}
"""Every kind of value that an application may pass where another type is expected."""

_texts = st.text(max_size=12) | st.sampled_from(
    ["\ud800", "\ud83d", "\ude00", "\x00", "12", "-1", "1e400", "NaN", "text", "stop", "x" * 300]
)
_numbers = st.integers() | st.floats() | st.sampled_from([0, -1, 2**63, 10**40, 429])
json_values = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, body: Any) -> Any:
    """A JSON body with one part replaced by another JSON value, or removed."""
    body = deepcopy(body)
    parent, key = draw(st.sampled_from(list(_places(body))))
    if draw(st.integers(0, 5)) == 0:
        del parent[key]
    else:
        parent[key] = draw(json_values)
    return body


def _places(body: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a body, as a collection and an index or key of it."""
    for key in list(body) if isinstance(body, dict) else range(len(body)):
        yield body, key
        if isinstance(body[key], dict | list):
            yield from _places(body[key])


@contextmanager
def recording(*, swallow: bool = False) -> Iterator[Recorder]:
    """Record calls; ``swallow`` hides internal errors, as in an application."""
    recorder = Recorder()
    with (
        patch.object(_runtime, "_runtime", recorder),
        patch.object(_guard, "raise_internal_errors", not swallow),
    ):
        yield recorder


def assert_acceptable(log: Log) -> None:
    """Assert that a server would accept the log."""
    assert Log.FromString(log.SerializeToString()) == log
    assert len(uuid.UUID(log.log_id).hex) == 32
    for field, limit in limits.MAX_TEXT_CHARS.items():
        assert len(getattr(log, field)) <= limit
    assert all(getattr(log, field) for field in limits.REQUIRED_TEXTS)
    assert log.provider == log.provider.lower()
    assert log.service_tier == log.service_tier.lower()
    assert all(getattr(log, field) >= 0 for field in limits.TOKEN_COUNTS)
    assert min(log.retry_count, log.reported_cost_nano_usd) >= 0
    assert not log.HasField("http_status") or log.http_status in limits.HTTP_STATUSES
    assert 0 <= log.start_time.ToNanoseconds() <= time.time_ns() + limits.MAX_AHEAD_S * 10**9
    latency = log.latency.ToNanoseconds() if log.HasField("latency") else limits.MAX_LATENCY_S * 10**9
    assert 0 <= log.time_to_first_token.ToNanoseconds() <= latency <= limits.MAX_LATENCY_S * 10**9
    assert len(log.tags) <= limits.MAX_TAGS
    assert all(1 <= len(tag) <= limits.MAX_TAG_CHARS for tag in log.tags)
    assert len(log.metadata) <= limits.MAX_METADATA_PAIRS
    assert all(1 <= len(key) <= limits.MAX_METADATA_KEY_CHARS for key in log.metadata)
    assert all(len(value) <= limits.MAX_METADATA_VALUE_CHARS for value in log.metadata.values())
