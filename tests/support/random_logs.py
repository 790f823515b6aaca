"""Random logs and random filters, drawn from the same few values so that they often meet."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from llm_observe.v1.filter_pb2 import LogFilter
from llm_observe.v1.log_pb2 import Log

from tests.support.logs import make_log

TRACES: Final = tuple(f"{n:032x}" for n in (1, 2, 255))
TEXTS: Final = (
    "", "100% of it", "100 of it", "a_b", "aXb", "back\\slash", "STRASSE", "straße", "Ärger", "ärger",
    "ΣΊΣΥΦΟΣ", "σίσυφος", "'; DROP TABLE logs; --", "İstanbul", "line\nbreak", "x" * 300 + "needle",
)  # fmt: skip
NEEDLES: Final = (
    "%", "_", "\\", "a_b", "strasse", "ÄRGER", "συφ", "needle", "i̇", "'", "\n", "absent", "100%",
)  # fmt: skip
WORDS: Final = {
    "providers": ("openai", "anthropic", "own"),
    "models": ("a", "b", "ü"),
    "operations": ("chat", "embeddings"),
    "environments": ("", "production", "staging"),
    "error_codes": ("", "rate_limited", "o'clock"),
    "releases": ("", "1.0", "2.0"),
    "tags": ("red", "green", 'quo"te', "ä"),
}
IDS: Final = {
    "session_id": ("s1", "s2"),
    "conversation_id": ("", "c1"),
    "user_id": ("", "u1", "u2"),
    "trace_id": ("", *TRACES),
}
NANOS: Final = (0, 999, 1_000, 1_001, 250_000_000, 250_000_500, 3_000_000_000)
NUMBERS: Final = (0, 1, 7, 2**53 + 1, 2**62)
_LISTS: Final = ("providers", "models", "operations", "environments", "error_codes", "releases")


def random_log(chance: random.Random, start: datetime) -> Log:
    """Return a log that begins within ten minutes, perhaps at the microsecond at which another one does."""
    log: Any = make_log()  # its fields are chosen by name
    log.start_time.FromDatetime(start + timedelta(seconds=chance.randrange(600) // 7 * 7))
    for name in _LISTS:
        setattr(log, name.removesuffix("s"), chance.choice(WORDS[name]))
    for name, values in IDS.items():
        setattr(log, name, chance.choice(values))
    log.outcome = chance.choice((1, 2, 3))
    log.tags.extend(chance.sample(WORDS["tags"], chance.randrange(4)))
    for name in ("input_preview", "output_preview", "error_message"):
        setattr(log, name, chance.choice(TEXTS))
    for name in ("input_token_count", "output_token_count"):
        log.ClearField(name)
        if chance.random() < 0.8:
            setattr(log, name, chance.choice(NUMBERS))
    for name in ("latency", "time_to_first_token"):
        log.ClearField(name)
        if chance.random() < 0.8:
            getattr(log, name).FromNanoseconds(chance.choice(NANOS))
    made: Log = log
    return made


def random_filter(chance: random.Random) -> LogFilter:
    """Return a valid filter on one to three fields."""
    made = LogFilter()
    for name in chance.sample([field.name for field in LogFilter.DESCRIPTOR.fields], chance.randrange(1, 4)):
        _set(made, name, chance)
    return made


def _set(made: LogFilter, name: str, chance: random.Random) -> None:
    if name == "metric_filter":
        field = chance.choice(("providers", "models", "operations", "environments"))
        getattr(made.metric_filter, field).extend(_some(WORDS[field], chance))
    elif name == "outcomes":
        made.outcomes.extend(_some((1, 2, 3), chance))
    elif name in WORDS:
        getattr(made, name).extend(_some(WORDS[name], chance))
    elif name in IDS:
        setattr(made, name, chance.choice(IDS[name]))
    elif name == "text":
        made.text = chance.choice(NEEDLES)
    else:
        _set_range(made, name.removeprefix("min_").removeprefix("max_"), chance)


def _set_range(made: Any, name: str, chance: random.Random) -> None:
    if made.HasField(f"min_{name}") or made.HasField(f"max_{name}"):
        return
    is_time = name in {"latency", "time_to_first_token"}
    low, high = sorted(chance.choices(NANOS if is_time else NUMBERS, k=2))
    bounds = chance.choice(((f"min_{name}",), (f"max_{name}",), (f"min_{name}", f"max_{name}")))
    for field in bounds:
        value: Any = low if field.startswith("min") else high
        if is_time:
            getattr(made, field).CopyFrom(Duration(seconds=value // 10**9, nanos=value % 10**9))
        else:
            setattr(made, field, value)


def _some(values: tuple[Any, ...], chance: random.Random) -> list[Any]:
    return chance.sample(values, chance.randrange(1, len(values) + 1))
