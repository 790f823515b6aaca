"""Calls whose cost nobody knows have none, though genai-prices may say a number: never 0, never a guess."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from genai_prices import Usage as LibraryUsage
from genai_prices.data_snapshot import DataSnapshot, get_snapshot

from tests.support.prices import BOOK, TODAY, cost, price

_NAMES = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "audio_input": "input_audio_tokens",
    "audio_output": "output_audio_tokens",
}
_CONTEXTS = {"batch": {"processing": "batch"}, "flex": {"service_tier": "flex"}}
BOTH = {"input": 1_000, "output": 10}


class Case(NamedTuple):
    why: str
    provider: str
    model: str
    counts: dict[str, int]
    tier: str = ""
    at: datetime = TODAY


CASES = [
    Case("no usage", "openai", "gpt-4o", {}),
    Case("input without output", "openai", "gpt-4o", {"input": 1_000}),
    Case("output without input", "openai", "gpt-4o", {"output": 10}),
    Case("parts without the whole", "openai", "gpt-4o", {"cache_read": 5, "output": 10}),
    Case("a model without any price", "google", "gemma-3-27b-it", BOTH),
    Case("the same, and no tokens", "google", "gemma-3-27b-it", {"input": 0, "output": 0}),
    Case("moderation, without any price", "openai", "omni-moderation-latest", BOTH),
    Case("a free variant, without any price", "openrouter", "openai/gpt-oss-20b:free", BOTH),
    Case("priced by the hour of audio", "openai", "whisper-1", BOTH),
    Case("priced by characters", "openai", "tts-1", BOTH),
    Case("priced by pages", "mistral", "mistral-ocr-latest", BOTH),
    Case("a connection is paid for by time", "elevenlabs", "eleven_realtime_v1_max", BOTH),
    Case("images among the output, not counted apart", "google", "gemini-2.5-flash-image", BOTH),
    Case("images among the input, not counted apart", "openai", "gpt-image-1", BOTH),
    Case("video among the input, not counted apart", "google", "gemini-embedding-2", BOTH),
    Case("citations and searches, not counted", "perplexity", "sonar-deep-research", BOTH),
    Case("a fee for each request, by its options", "perplexity", "sonar-pro", BOTH),
    Case("a fee for each search", "openai", "gpt-4o-search-preview", BOTH),
    Case("cached tokens, but no rate for them", "groq", "llama-3.3-70b-versatile", {**BOTH, "cache_read": 5}),
    Case("written to a cache, but no rate for it", "openai", "gpt-4o", {**BOTH, "cache_write": 5}),
    Case(
        "kept for an hour, but no rate for it",
        "openai",
        "gpt-6.1-sol",
        {**BOTH, "cache_write": 5, "cache_write_1h": 5},
    ),
    Case("audio, but no rate for it", "gemini", "gemini-2.5-pro", {**BOTH, "audio_input": 5}),
    Case("speech, but no rate for it", "gemini", "gemini-2.5-flash", {**BOTH, "audio_output": 5}),
    Case("output, but no rate for it", "openai", "text-embedding-3-small", BOTH),
    Case("a speaking model, audio not counted", "openai", "gpt-audio", BOTH),
    Case("a hearing model, audio not counted", "openai", "gpt-4o-transcribe", BOTH),
    Case("a speaking model without rates for audio", "openai", "gpt-4o-audio-preview", BOTH),
    Case("audio and cached tokens may overlap", "gemini", "gemini-2.5-flash",
         {**BOTH, "audio_input": 5, "cache_read": 5}),
    Case("open weights on a server of one's own", "openai", "gpt-oss-120b", BOTH),
    Case("the price of another vendor", "mistral", "mistral-small-3.1-24b-instruct", BOTH),
    Case("a server that only speaks the protocol", "openai-compatible", "gpt-4o", BOTH),
    Case("an unpriced service tier", "anthropic", "claude-opus-5-5", BOTH, "priority"),
    Case("a service tier nobody has heard of", "openai", "gpt-4o", BOTH, "scale"),
    Case("a service tier of another vendor", "azure", "gpt-4o", BOTH, "batch"),
    Case("a service tier before its price is known", "openai", "gpt-4o", BOTH, "batch",
         datetime(2026, 10, 13, tzinfo=UTC)),
    Case("a rate copied back beyond a price cut", "openai", "o3", {**BOTH, "cache_read": 5},
         at=datetime(2025, 6, 9, tzinfo=UTC)),
    Case("peak hours before their price is known", "deepseek", "deepseek-v4-flash", BOTH,
         at=datetime(2026, 8, 18, 2, tzinfo=UTC)),
    Case("more cached than input", "openai", "gpt-4o", {**BOTH, "cache_read": 1_001}),
    Case("read and written more than input", "anthropic", "claude-opus-5-5",
         {**BOTH, "cache_read": 600, "cache_write": 600}),
    Case("kept for an hour more than written", "anthropic", "claude-opus-5-5",
         {**BOTH, "cache_write": 5, "cache_write_1h": 6}),
    Case("kept for an hour, but not written", "anthropic", "claude-opus-5-5", {**BOTH, "cache_write_1h": 6}),
    Case("more audio than input", "gemini", "gemini-2.5-flash", {**BOTH, "audio_input": 1_001}),
    Case("more audio than output", "openai", "gpt-audio", {**BOTH, "audio_input": 0, "audio_output": 11}),
    Case("negative input", "openai", "gpt-4o", {"input": -1, "output": 10}),
    Case("negative output", "openai", "gpt-4o", {"input": 1, "output": -10}),
    Case("negative part", "openai", "gpt-4o", {**BOTH, "cache_read": -1}),
    Case("more than a bigint holds", "openai", "gpt-4o", {"input": 2**62, "output": 2**62}),
    Case("nobody's model", "openai", "gpt-4o-of-our-own", BOTH),
    Case("nobody's provider", "ollama", "llama3.2", BOTH),
    Case("no name", "", "", BOTH),
]  # fmt: skip


def library_says(case: Case) -> str:
    """Return what genai-prices says of a case: a number of nano-dollars, or that it has none."""
    snapshot = DataSnapshot(providers=get_snapshot().providers, from_auto_update=False)
    usage = {_NAMES[name]: count for name, count in case.counts.items()}
    try:
        said = snapshot.calc(
            LibraryUsage(**usage), case.model, case.provider, None, case.at, _CONTEXTS.get(case.tier)
        )
    except (LookupError, ValueError) as error:
        return type(error).__name__
    return f"{said.total_price * 10**9:,.0f}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_unknown_is_unknown(case):
    said, version = price(case.provider, case.model, tier=case.tier, at=case.at, **case.counts)
    assert said is None
    assert version in BOOK.versions


def test_the_library_says_a_number_in_most_cases(record_property):
    """A list for people, in the report of `pytest --junitxml`; see also docs/decisions/0016-prices.md."""
    said = {case.why: library_says(case) for case in CASES}
    record_property("genai-prices says", said)
    guessed = [why for why, what in said.items() if what[0].isdigit()]
    assert len(guessed) >= 30
    assert sum(said[why] == "0" for why in guessed) >= 5


def test_a_call_that_is_like_the_unknown_ones_and_known_has_its_price():
    assert cost("gemini", "gemini-2.5-flash", **BOTH, audio_input=0, cache_read=5) is not None
    assert cost("openai", "gpt-audio", **BOTH, audio_input=0, audio_output=0) is not None
    assert cost("openai", "gpt-4o", **BOTH, cache_write=0, cache_write_1h=0) is not None
    assert cost("openai", "o3", **BOTH, at=datetime(2025, 6, 9, tzinfo=UTC)) is not None
    assert cost("openai", "gpt-4o", tier="batch", at=datetime(2026, 10, 14, tzinfo=UTC), **BOTH) is not None
