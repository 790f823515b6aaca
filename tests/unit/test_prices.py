"""What calls cost, by hand: vendors, cached tokens, borders of the context, service tiers, audio, dates."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from analytics.pricing.book import CACHE_SIZE, PriceBook
from tests.support.prices import BOOK, book_of, cost, price

BEDROCK = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def nano(*parts: float) -> int:
    """Return nano-dollars of pairs: tokens, and US dollars per million of them."""
    return round(sum(count * rate * 1_000 for count, rate in zip(parts[::2], parts[1::2], strict=True)))


@pytest.mark.parametrize(
    ("provider", "model", "counts", "expected"),
    [
        ("openai", "gpt-5.2", {"input": 1_000, "output": 200}, nano(1_000, 1.75, 200, 14)),
        ("openai", "gpt-5.2-2025-12-11", {"input": 1_000, "output": 200}, nano(1_000, 1.75, 200, 14)),
        ("openai", "gpt-5.2", {"input": 1_000, "output": 200, "cache_read": 0}, nano(1_000, 1.75, 200, 14)),
        (
            "openai",
            "gpt-5.2",
            {"input": 1_000, "output": 200, "cache_read": 600},
            nano(400, 1.75, 600, 0.175, 200, 14),
        ),
        ("openai", "ft:gpt-4o-mini-2024-07-18:a::b", {"input": 9, "output": 1}, nano(9, 0.3, 1, 1.2)),
        ("azure.ai.openai", "gpt-4o", {"input": 1_000, "output": 200}, nano(1_000, 2.5, 200, 10)),
        ("anthropic", "claude-haiku-4-5-20251001", {"input": 10, "output": 5}, nano(10, 1, 5, 5)),
        (
            "anthropic",
            "claude-sonnet-4-5",
            {"input": 1_000, "output": 10, "cache_read": 500, "cache_write": 300},
            nano(200, 3, 500, 0.3, 300, 3.75, 10, 15),
        ),
        (
            "anthropic",
            "claude-sonnet-4-5",
            {"input": 1_000, "output": 10, "cache_read": 500, "cache_write": 300, "cache_write_1h": 100},
            nano(200, 3, 500, 0.3, 200, 3.75, 100, 6, 10, 15),
        ),
        ("aws.bedrock", BEDROCK, {"input": 1_000, "output": 10}, nano(1_000, 3.3, 10, 16.5)),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", {"input": 10, "output": 1}, nano(10, 3, 1, 15)),
        ("gemini", "gemini-2.5-flash", {"input": 1_000, "output": 10}, nano(1_000, 0.3, 10, 2.5)),
        ("gemini", "models/gemini-2.5-flash", {"input": 1_000, "output": 10}, nano(1_000, 0.3, 10, 2.5)),
        (
            "gcp.vertex_ai",
            "projects/p/locations/l/publishers/google/models/gemini-2.5-flash",
            {"input": 1_000, "output": 10},
            nano(1_000, 0.3, 10, 2.5),
        ),
        (
            "gemini",
            "gemini-2.5-flash",
            {"input": 1_000, "output": 10, "audio_input": 400},
            nano(600, 0.3, 400, 1, 10, 2.5),
        ),
        (
            "openai",
            "gpt-audio",
            {"input": 100, "output": 50, "audio_input": 80, "audio_output": 40},
            nano(20, 2.5, 80, 32, 10, 10, 40, 64),
        ),
        ("mistral", "mistral-large-2512", {"input": 1_000, "output": 10}, nano(1_000, 0.5, 10, 1.5)),
        ("mistral_ai", "mistral-large-latest", {"input": 1_000, "output": 10}, nano(1_000, 0.5, 10, 1.5)),
        ("deepseek", "deepseek-chat", {"input": 1_000, "output": 10}, nano(1_000, 0.28, 10, 0.42)),
        ("x_ai", "grok-4.7", {"input": 1_000, "output": 10}, nano(1_000, 2, 10, 6)),
        ("groq", "llama-3.3-70b-versatile", {"input": 1_000, "output": 10}, nano(1_000, 0.59, 10, 0.79)),
        ("cohere", "command-r", {"input": 1_000, "output": 10}, nano(1_000, 0.15, 10, 0.6)),
        ("openrouter", "openai/gpt-4o", {"input": 1_000, "output": 10}, nano(1_000, 2.5, 10, 10)),
        ("OpenAI", "GPT-4o", {"input": 1_000, "output": 10}, nano(1_000, 2.5, 10, 10)),
        ("openai", "gpt-4o", {"input": 0, "output": 0}, 0),
    ],
)
def test_vendors(provider, model, counts, expected):
    assert price(provider, model, **counts) == (expected, BOOK.card(provider, model).rows[0].version)


@pytest.mark.parametrize(
    ("provider", "model", "border", "below", "above"),
    [
        ("anthropic", "claude-sonnet-4-5", 200_000, (3, 15), (6, 22.5)),
        ("gemini", "gemini-2.5-pro", 200_000, (1.25, 10), (2.5, 15)),
        ("openai", "gpt-5.4", 272_000, (2.5, 15), (5, 22.5)),
        ("x_ai", "grok-4.7", 199_999, (2, 6), (4, 12)),
    ],
)
def test_above_the_border_the_whole_call_costs_more(provider, model, border, below, above):
    for count, (input_rate, output_rate) in (
        (border - 1, below),
        (border, below),
        (border + 1, above),
        (2 * border, above),
    ):
        expected = nano(count, input_rate, 100, output_rate)
        assert cost(provider, model, input=count, output=100) == expected


def test_cached_tokens_count_towards_the_border():
    counts = {"input": 200_001, "output": 0, "cache_read": 200_000}
    assert cost("anthropic", "claude-sonnet-4-5", **counts) == nano(1, 6, 200_000, 0.6)


@pytest.mark.parametrize(
    ("provider", "model", "tier", "expected"),
    [
        *(
            ("openai", "gpt-5.2", tier, nano(600, 1.75, 400, 0.175, 10, 14))
            for tier in ("", "default", "auto")
        ),
        ("openai", "gpt-5.2", "Flex", nano(600, 0.875, 400, 0.0875, 10, 7)),
        ("openai", "gpt-5.2", "batch", nano(600, 0.875, 400, 0.0875, 10, 7)),
        ("openai", "gpt-5.2", "priority", nano(600, 3.5, 400, 0.35, 10, 28)),
        ("anthropic", "claude-opus-5-5", "standard", nano(600, 4, 400, 0.2, 10, 20)),
        ("anthropic", "claude-opus-5-5", "batch", nano(600, 2, 400, 0.1, 10, 10)),
        ("anthropic", "claude-opus-5-5", "fast", nano(600, 8, 400, 0.4, 10, 40)),
        # The batch table of the vendor has no rate of its own for cached tokens: they keep theirs.
        ("openai", "gpt-4o", "batch", nano(600, 1.25, 400, 1.25, 10, 5)),
        ("mistral", "mistral-large-2512", "batch", nano(600, 0.25, 400, 0.025, 10, 0.75)),
    ],
)
def test_service_tiers(provider, model, tier, expected):
    assert cost(provider, model, tier=tier, input=1_000, output=10, cache_read=400) == expected


@pytest.mark.parametrize(
    ("model", "at", "expected"),
    [
        ("gemini-4-argon", datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC), nano(1_000, 2, 10, 10)),
        ("gemini-4-argon", datetime(2026, 12, 1, tzinfo=UTC), nano(1_000, 4, 10, 20)),
    ],
)
def test_a_price_holds_from_its_date_on(model, at, expected):
    assert cost("gemini", model, at=at, input=1_000, output=10) == expected


FRIDAY, SATURDAY = 20, 21


@pytest.mark.parametrize(
    ("model", "day", "hour", "input_rate"),
    [
        ("deepseek-flash", FRIDAY, 0, 0.15),
        ("deepseek-flash", FRIDAY, 1, 0.3),
        ("deepseek-flash", FRIDAY, 3, 0.3),
        ("deepseek-flash", FRIDAY, 4, 0.15),
        ("deepseek-flash", FRIDAY, 9, 0.3),
        ("deepseek-flash", FRIDAY, 10, 0.15),
        ("deepseek-flash", SATURDAY, 2, 0.15),
        ("deepseek-chat", FRIDAY, 2, 0.28),
        ("deepseek-chat", FRIDAY, 20, 0.28),
        ("deepseek-reasoner", FRIDAY, 20, 0.28),
    ],
)
def test_hours_of_the_day(model, day, hour, input_rate):
    at = datetime(2026, 11, day, hour, tzinfo=UTC)
    assert cost("deepseek", model, at=at, input=1_000, output=0) == nano(1_000, input_rate)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 8, 16, 2, tzinfo=UTC), nano(1_000, 0.14)),
        (
            datetime(2026, 8, 18, 2, tzinfo=UTC),
            None,
        ),  # there was a peak, at a price that the package has not kept
        (datetime(2026, 8, 18, 5, tzinfo=UTC), nano(1_000, 0.22)),
        (datetime(2026, 9, 10, 2, tzinfo=UTC), nano(1_000, 0.3)),
    ],
)
def test_peak_hours_have_no_price_of_another_time(at, expected):
    assert cost("deepseek", "deepseek-v4-flash", at=at, input=1_000, output=0) == expected


def test_embeddings_have_no_output():
    assert cost("openai", "text-embedding-3-small", operation="embeddings", input=1_000) == nano(1_000, 0.02)
    assert cost("openai", "text-embedding-3-small", operation="embeddings", input=1_000, output=0) == 20_000
    assert cost("openai", "text-embedding-3-small", operation="chat", input=1_000) is None


def test_costs_are_rounded_once_to_the_even():
    book = book_of('[[price]]\nprovider = "p"\nmodel = "m"\ninput = "0.0005"\noutput = "0.0005"')
    costs = [cost("p", "m", book=book, input=count, output=count) for count in range(1, 6)]
    assert costs == [1, 2, 3, 4, 5]
    assert [cost("p", "m", book=book, input=count, output=0) for count in (1, 2, 3, 5)] == [0, 1, 2, 2]


def test_the_answering_model_prices_a_deployment():
    counts = {"input": 1_000, "output": 10}
    assert cost("azure.ai.openai", "our-deployment", response_model="gpt-4o-2024-11-20", **counts) == nano(
        1_000, 2.5, 10, 10
    )
    # The requested model goes first, also where its price is known to be unknown.
    assert cost("openai", "gpt-4o", response_model="gpt-5.2", **counts) == nano(1_000, 2.5, 10, 10)
    assert cost("openai", "gpt-oss-120b", response_model="gpt-5.2", **counts) is None


@given(st.sampled_from(["openai", "litellm", "openrouter", "google"]) | st.text(), st.text(), st.text())
def test_any_name_may_come(provider, model, tier):
    said, version = price(provider, model, tier=tier, input=1, output=1)
    assert said is None or said >= 0
    assert version in BOOK.versions


def test_names_without_end_take_no_memory():
    book = PriceBook.built_in()
    for number in range(CACHE_SIZE + 100):
        assert cost("nobody", f"model-{number}", book=book, input=1, output=1) is None
    assert cost("openai", "gpt-4o", book=book, input=1, output=1) is not None
    assert len(book._cards) == CACHE_SIZE
    snapshot = get_snapshot()
    assert not snapshot._lookup_cache
    assert not snapshot._provider_cache
    assert not snapshot._provider_misses


def test_prices_need_no_network_and_start_no_thread():
    program = """
import socket, threading
def refuse(*args, **kwargs): raise AssertionError("the network")
socket.socket.connect = socket.getaddrinfo = refuse
from analytics.pricing.book import PriceBook
from analytics.pricing.rates import Usage
assert PriceBook.built_in().price("openai", "gpt-4o", 0, Usage(1, 1))[0]
assert threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-c", program], check=True)
