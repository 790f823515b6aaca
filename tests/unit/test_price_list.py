"""A user's price file stands before the built-in prices; what is wrong in it is named at start."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics.pricing.book import PriceBook
from analytics.pricing.price_list import PriceList, PriceListError
from analytics.pricing.settings import PricingSettings
from telemetry.settings import SettingsError, load_settings
from tests.support.prices import BOOK, TODAY, book_of, cost, price

ROOT = Path(__file__).parents[2]
BOTH = {"input": 1_000_000, "output": 1_000_000}
USD = 10**9


def entry(**fields: object) -> str:
    """Return an entry; values are TOML."""
    given = {"provider": '"openai"', "model": '"gpt-4o"', **fields}
    return "[[price]]\n" + "".join(f"{name} = {value}\n" for name, value in given.items())


def test_a_file_stands_before_the_built_in_prices():
    text = entry(input="1", output='"2.5"')
    version = f"file/{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    book = book_of(text)
    assert price("openai", "gpt-4o", book=book, **BOTH) == (3_500_000_000, version)
    assert price("openai", "gpt-4.1", book=book, **BOTH) == price("openai", "gpt-4.1", **BOTH)
    assert book.versions == (version, *BOOK.versions)


def test_a_price_comes_from_one_list_alone():
    """Kinds of token that the file has no rate for are not looked up elsewhere."""
    book = book_of(entry(input=1, output=1))
    assert cost("openai", "gpt-4o", book=book, cache_read=1, **BOTH) is None
    assert cost("openai", "gpt-4o", book=book, tier="batch", **BOTH) is None


def test_an_entry_without_rates_is_unknown():
    assert cost("openai", "gpt-4o", book=book_of(entry()), **BOTH) is None


def test_nothing_is_a_price():
    assert cost("openai", "gpt-4o", book=book_of(entry(input=0, output=0)), **BOTH) == 0


def test_all_rates():
    rates = {"input": 1, "output": 2, "cache_read": 3, "cache_write": 4, "cache_write_1h": 5}
    book = book_of(entry(**rates, audio_input=6, audio_output=7))
    counts = {"input": 1_000, "output": 100, "cache_read": 100, "cache_write": 200, "cache_write_1h": 50}
    assert cost("openai", "gpt-4o", book=book, **counts) == 1_000 * (700 + 2 * 100 + 300 + 600 + 250)
    counts = {"input": 1_000, "output": 100, "audio_input": 10, "audio_output": 20}
    assert cost("openai", "gpt-4o", book=book, **counts) == 1_000 * (990 + 2 * 80 + 60 + 140)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), cost("openai", "gpt-4o", **BOTH)),
        (datetime(2026, 1, 1, tzinfo=UTC), 2 * USD),
        (datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), 2 * USD),
        (datetime(2026, 3, 1, tzinfo=UTC), cost("openai", "gpt-4o", **BOTH)),
        (datetime(2026, 6, 1, 11, 59, tzinfo=UTC), cost("openai", "gpt-4o", **BOTH)),
        (datetime(2026, 6, 1, 12, tzinfo=UTC), 6 * USD),
        (TODAY, 6 * USD),
    ],
)
def test_dates(at, expected):
    book = book_of(
        entry(input=3, output=3, **{"from": "2026-06-01T14:00:00+02:00"})
        + entry(input=1, output=1, **{"from": "2026-01-01", "until": "2026-03-01"})
    )
    assert cost("openai", "gpt-4o", book=book, at=at, **BOTH) == expected


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("vllm", "llama", 1),
        ("VLLM", "models/Llama", 1),
        ("vllm", "anything", 2),
        ("gemini", "gemini-2.5-pro", 3),
        ("gcp.gemini", "gemini-2.5-pro", 3),
        ("vertex_ai", "gemini-2.5-pro", 4),
    ],
)
def test_names(provider, model, expected):
    """Exact names go before any model, a provider's own name before the one it is an alias of."""
    book = book_of(
        entry(provider='"vllm"', model='"*"', input=2, output=0)
        + entry(provider='"vllm"', model='"llama"', input=1, output=0)
        + entry(provider='"google"', model='"gemini-2.5-pro"', input=3, output=0)
        + entry(provider='"vertex_ai"', model='"gemini-2.5-pro"', input=4, output=0)
    )
    assert cost(provider, model, book=book, **BOTH) == expected * USD


def test_service_tiers_have_entries_of_their_own():
    book = book_of(
        entry(input=2, output=0)
        + entry(service_tier='"batch"', input=1, output=0)
        + entry(model='"gpt-4.1"', service_tier='"batch"', input=3, output=0)
    )
    tiers = ("", "default", "batch", "flex")
    assert [cost("openai", "gpt-4o", book=book, tier=tier, **BOTH) for tier in tiers] == [
        2 * USD,
        2 * USD,
        USD,
        None,
    ]
    assert cost("openai", "gpt-4.1", book=book, tier="batch", **BOTH) == 3 * USD
    assert cost("openai", "gpt-4.1", book=book, **BOTH) == cost("openai", "gpt-4.1", **BOTH)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[price]]\nprovider = openai", r"not TOML: Invalid value \(at line 2, column 12\)"),
        ("price = 3", r"nothing but tables \[\[price\]\]"),
        ("[prices]", r"nothing but tables \[\[price\]\]"),
        ("price = [3]", r"nothing but tables \[\[price\]\]"),
        (entry(input=1) + "\n" + entry(imput=1), r"entry 2 \(line 6\): no field 'imput'; the fields are pro"),
        ('price = [{provider = "p"}]', "entry 1: no model"),
        (entry(provider='""'), r"entry 1 \(line 1\): no provider"),
        (entry(model="4"), 'model is not text: write model = "..."'),
        (entry(output=1), "rates without input"),
        (entry(input=-1), "input is not from 0 to 1,000,000 US dollars per million tokens"),
        (entry(input=1_000_001), "input is not from 0 to 1,000,000"),
        (entry(input="nan"), "input is not from 0 to 1,000,000"),
        (entry(input='"1,5"'), "input is not a number"),
        (entry(input="true"), "input is not a number"),
        (entry(input="[1]"), "input is not a number"),
        (entry(input="0.0000001"), "input has more than 6 decimal places"),
        (entry(**{"from": '"2026-01-01"'}), "from is not a date: write from = 2026-01-31, without quotes"),
        (entry(until="12:00:00"), "until is not a date"),
        (entry(**{"from": "2026-01-02", "until": "2026-01-02"}), "from is not before until"),
        (entry() + entry(service_tier='"default"'), r"entry 2 \(line 4\): the same .* as entry 1"),
        (entry(provider='"OpenAI"') + entry(), r"the same provider, model, service_tier and from as entry 1"),
    ],
)
def test_what_is_wrong_is_said(text, message):
    with pytest.raises(PriceListError, match=message):
        PriceList.parse(text, source="file")


def test_an_empty_file_changes_nothing():
    assert price("openai", "gpt-4o", book=book_of("# nothing yet\n"), **BOTH) == price(
        "openai", "gpt-4o", **BOTH
    )


def test_the_example_in_the_docs():
    book = book_of((ROOT / "docs/examples/prices.toml").read_text())
    assert cost("openai", "gpt-4o", book=book, **BOTH) == 10 * USD
    assert cost("openai", "gpt-4o", book=book, tier="batch", **BOTH) == 5 * USD
    assert cost("vllm", "llama", book=book, **BOTH) == 0
    assert cost("azure.ai.openai", "our-deployment", book=book, response_model="gpt-4o", **BOTH) is None


def test_the_setting_is_checked_at_start(monkeypatch, tmp_path):
    path = tmp_path / "prices.toml"
    monkeypatch.setenv("LLM_OBSERVE_PRICE_FILE", str(path))
    with pytest.raises(SettingsError, match="LLM_OBSERVE_PRICE_FILE: the file cannot be read: No such file"):
        load_settings(PricingSettings)
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="LLM_OBSERVE_PRICE_FILE: the file is not UTF-8"):
        load_settings(PricingSettings)
    path.write_text(entry(input="x"))
    with pytest.raises(SettingsError, match="LLM_OBSERVE_PRICE_FILE: not TOML"):
        load_settings(PricingSettings)
    path.write_text(entry(output=1))
    with pytest.raises(SettingsError, match=r"PRICE_FILE: entry 1 \(line 1\): rates without input; "):
        load_settings(PricingSettings)
    path.write_text(entry(input=1, output=1))
    book = load_settings(PricingSettings).make_price_book()
    assert cost("openai", "gpt-4o", book=book, **BOTH) == 2 * USD


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_file_the_prices_are_built_in(monkeypatch, value):
    monkeypatch.delenv("LLM_OBSERVE_PRICE_FILE", raising=False)
    if value is not None:
        monkeypatch.setenv("LLM_OBSERVE_PRICE_FILE", value)
    assert load_settings(PricingSettings).make_price_book().versions == PriceBook.built_in().versions
