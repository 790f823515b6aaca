"""Both readers price each log as the book does, whatever decides its price."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest
from llm_observe.v1.log_pb2 import Log

from analytics.pricing.book import CACHE_SIZE, PriceBook
from analytics.pricing.rates import LATEST, RateCard
from codec import _reader, packing
from codec.batch import AcceptedBatch
from codec.rows import price_of_log
from storage.columns import DELTA_COLUMNS, LOG_COLUMNS, ROLLUP_SUMS, LogRow
from storage.copy_format import unpack_tuple
from tests.support.logs import make_log
from tests.support.prices import BOOK, book_of
from tests.support.properties import examples
from tests.support.twins import on_both_readers, read_with

MODELS = [
    {"provider": "openai", "model": "gpt-4o-mini"},
    {"provider": "openai", "model": "gpt-5.2-2025-12-11"},
    {"provider": "openai", "model": "text-embedding-3-small", "operation": "embeddings"},
    {"provider": "openai", "model": "gpt-audio"},
    {"provider": "openai", "model": "ft:gpt-4o-mini-2024-07-18:acme::abc"},
    {"provider": "anthropic", "model": "claude-sonnet-4-5-20250929"},
    {"provider": "anthropic", "model": "claude-sonnet-5-5", "response_model": "claude-sonnet-5-5-x"},
    {"provider": "gemini", "model": "models/gemini-2.5-flash"},
    {"provider": "gcp.gemini", "model": "gemini-3-pro-preview"},
    {"provider": "gemini", "model": "gemini-4-argon"},
    {"provider": "azure.ai.openai", "model": "our-deployment", "response_model": "gpt-4o-2024-08-06"},
    {"provider": "azure.ai.openai", "model": "our-deployment", "response_model": "our-deployment"},
    {"provider": "aws.bedrock", "model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
    {"provider": "deepseek", "model": "deepseek-chat"},
    {"provider": "openai-compatible", "model": "gpt-4o"},
    {"provider": "demo", "model": "demo-echo"},
    {"provider": "größe", "model": "ünknown"},
]
USAGES: list[dict[str, int]] = [
    {},
    {"input": 0, "output": 0},
    {"input": 1_000},
    {"output": 500},
    {"input": 1_000, "output": 501},
    *({"input": border + more, "output": 7} for border in (128_000, 200_000, 272_000) for more in (0, 1)),
    {"input": 1_000, "output": 100, "cache_read": 999},
    {"input": 1_000, "output": 100, "cache_read": 1_001},
    {"input": 1_003, "output": 101, "cache_read": 501, "cache_write": 301, "cache_write_1h": 201},
    {"input": 1_000, "output": 100, "cache_write": 100, "cache_write_1h": 101},
    {"input": 1_000, "output": 100, "audio_input": 333, "audio_output": 77},
    {"input": 1_000, "output": 100, "audio_input": 0, "audio_output": 0},
    {"input": 1_000, "output": 100, "audio_input": 10, "cache_read": 10},
    {"input": 10, "output": 10, "audio_output": 11},
    {"input": 2**47 - 1, "output": 2**47 - 1},
    {"input": 2**62, "output": 1},
]
TIERS = ("", "default", "batch", "flex", "priority", "nobody's")
TIMES = ("2024-01-01T00:00:00Z", "2026-11-25T02:00:00Z", "2026-12-01T12:00:00.000001Z")


def log_of(model: dict[str, str], usage: dict[str, int], **fields: Any) -> Log:
    log = make_log(**model, **fields)
    for name in ("input_token_count", "output_token_count", "total_token_count"):
        log.ClearField(name)
    for name, count in usage.items():
        setattr(log, f"{name}_token_count", count)
    return log


def read(twin, logs: list[Log], prices: PriceBook = BOOK):
    payload = IngestLogsRequest(logs=logs).SerializeToString()
    found = read_with(twin, AcceptedBatch(payload, "default", 1, len(logs), 0), prices=prices)
    assert not found.invalid
    return found.logs


def check(twin, logs: list[Log], prices: PriceBook = BOOK) -> None:
    """Hold rows, sums and messages against the book."""
    for log, found in zip(logs, read(twin, logs, prices), strict=True):
        expected = cost, _ = price_of_log(log, prices)
        row = LogRow._make(unpack_tuple(found.packed_row, LOG_COLUMNS))
        assert (row.cost_nano_usd, row.price_version) == expected, log
        message = found.message()
        said = message.cost_nano_usd if message.HasField("cost_nano_usd") else None
        assert (said, message.price_version) == expected
        sums = {each.name: value for each, value in zip(ROLLUP_SUMS, found.rollup_sums, strict=True)}
        assert (sums["priced_count"], sums["cost_nano_usd_sum"]) == (int(cost is not None), cost or 0)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: "/".join(model.values()))
@on_both_readers
def test_every_model_is_priced_as_the_book_does(twin, model):
    check(twin, [
        log_of(model, usage, service_tier=tier, start_time=at)
        for usage, tier, at in product(USAGES, TIERS, TIMES)
    ])  # fmt: skip


COUNTS = st.none() | st.integers(0, 2_000) | st.sampled_from([200_000, 200_001, 272_000, 272_001, 2**46])


@examples(300)
@given(st.data())
def test_whatever_is_used_both_readers_say_what_the_book_says(data):
    kinds = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "audio_input", "audio_output")
    usage = {kind: count for kind in kinds if (count := data.draw(COUNTS)) is not None}
    log = log_of(
        data.draw(st.sampled_from(MODELS)),
        usage,
        log_id="01890a5d-ac96-774b-bcce-b302099a8057",
        service_tier=data.draw(st.sampled_from(TIERS)),
    )
    log.start_time.FromSeconds(data.draw(st.integers(1_700_000_000, 1_800_000_000)))
    for twin in (_reader, packing):
        check(twin, [log])


DEAREST = """
[[price]]
provider = "acme"
model = "dearest"
input = 1_000_000
output = 1_000_000
cache_read = 0
[[price]]
provider = "acme"
model = "half"
input = "0.0005"
output = 0
"""


@on_both_readers
def test_no_count_is_too_large(twin):
    """A cost that sums of 64 bits could not hold is left to Python, and is exact."""
    book = book_of(DEAREST)
    largest = book.card("acme", "dearest").largest_count
    counts = [1, 140_737, 140_738, largest - 1, largest, largest + 1, LATEST // 10**9, LATEST // 10**9 + 1]
    model = {"provider": "acme", "model": "dearest"}
    check(twin, [
        log_of(model, usage)
        for count in counts
        for usage in (
            {"input": count, "output": 0},
            {"input": count, "output": count},
            {"input": 1, "output": count},
            {"input": count, "output": 1, "cache_read": count},
        )
    ], book)  # fmt: skip
    logs = read(twin, [log_of(model, {"input": count, "output": 0}) for count in counts[:-1]], book)
    expected = sum(count * 10**9 for count in counts[:-1])
    (delta,) = twin.add_up(logs).deltas
    names = [column.name for column in DELTA_COLUMNS]
    assert unpack_tuple(delta, DELTA_COLUMNS)[names.index("cost_nano_usd_sum")] == expected


@on_both_readers
def test_halves_are_rounded_to_the_even(twin):
    book = book_of(DEAREST)
    model = {"provider": "acme", "model": "half"}
    logs = read(twin, [log_of(model, {"input": count, "output": 0}) for count in range(7)], book)
    assert [LogRow._make(unpack_tuple(log.packed_row, LOG_COLUMNS)).cost_nano_usd for log in logs] == [
        0, 0, 1, 2, 2, 2, 3,
    ]  # fmt: skip


@on_both_readers
def test_what_a_producer_says_of_the_price_is_dropped(twin):
    check(twin, [make_log(cost_nano_usd="7", price_version="mine", reported_cost_nano_usd="9")])


def test_common_logs_are_priced_without_python():
    logs = [log_of(model, {"input": 1_003, "output": 7, "cache_read": 100}) for model in MODELS]
    assert {type(log).__module__ for log in read(_reader, logs)} == {"codec._reader"}


class Counting(PriceBook):
    """Knows no model, and counts how often it is asked."""

    asked = 0

    def card(self, *args: str, **named: str) -> RateCard:
        self.asked += 1
        return RateCard.of((), "empty")


def test_a_model_is_looked_up_once_and_names_do_not_pile_up():
    book = Counting(())
    logs = [make_log(model=f"m{number}") for number in range(CACHE_SIZE + 1)]
    for _ in range(2):
        read(_reader, logs[:-1], book)
        assert book.asked == CACHE_SIZE
    read(_reader, [logs[-1], logs[0]], book)
    assert book.asked == CACHE_SIZE + 2


def test_a_reader_uses_the_book_that_it_is_given():
    cheap, dear = (
        book_of(f'[[price]]\nprovider = "p"\nmodel = "m"\ninput = {rate}\noutput = 0') for rate in (1, 9)
    )
    log = log_of({"provider": "p", "model": "m"}, {"input": 1_000, "output": 1})
    for book in (cheap, dear, cheap):
        check(_reader, [log], book)
