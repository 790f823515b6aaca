"""What a price takes, ours beside genai-prices' own: python -m benchmarks.prices.

With --unknown it prints the models that genai-prices has a price for, for plain text, and we have none.
"""

from __future__ import annotations

import sys
import time
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from genai_prices import Usage as LibraryUsage
from genai_prices.data_snapshot import DataSnapshot, get_snapshot

from analytics.pricing.book import PriceBook
from analytics.pricing.rates import Usage
from benchmarks.report import ratio, report
from storage.copy_format import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
AT_US = int((AT - EPOCH).total_seconds() * 1_000_000)
CALLS = {
    "plain": ("openai", "gpt-5.2", Usage(1_000, 200)),
    "cached": ("openai", "gpt-5.2", Usage(1_000, 200, 400)),
    "tiered": ("anthropic", "claude-sonnet-4-5", Usage(1_000, 200)),
    "dated": ("gemini", "gemini-4-argon", Usage(1_000, 200)),
    "unknown model": ("openai", "nobody", Usage(1_000, 200)),
}


def cpu_us(call: Callable[[], object], calls: int) -> float:
    """Return CPU time a call in microseconds, best of five."""
    times = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(calls):
            call()
        times.append(time.process_time() - began)
    return round(min(times) / calls * 1_000_000, 3)


def hits() -> None:
    book = PriceBook.built_in()
    snapshot = DataSnapshot(providers=get_snapshot().providers, from_auto_update=False)
    for name, (provider, model, usage) in CALLS.items():
        theirs = LibraryUsage(
            input_tokens=usage.input, output_tokens=usage.output, cache_read_tokens=usage.cache_read or 0
        )

        def ask(provider: str = provider, model: str = model, usage: Usage = usage) -> object:
            return book.price(provider, model, AT_US, usage)

        def ask_library(provider: str = provider, model: str = model, usage: LibraryUsage = theirs) -> object:
            try:
                return snapshot.calc(usage, model, provider, None, AT)
            except LookupError:
                return None

        ours, library = cpu_us(ask, 50_000), cpu_us(ask_library, 500)
        report(case=name, ours_us=ours, library_us=library, ratio=ratio(ours, library))


def misses() -> None:
    """Look up names that were never asked for: what an application that invents them costs."""
    for provider in ("nobody", "openai", "openrouter"):
        book = PriceBook.built_in()
        numbers = iter(range(10**9))

        def ask(provider: str = provider, book: PriceBook = book) -> object:
            return book.price(provider, f"model-{next(numbers)}", AT_US, Usage(1, 1))  # noqa: B023 - used at once

        report(case=f"a new name of {provider}", ours_us=cpu_us(ask, 300))


def unknown() -> None:
    book = PriceBook.built_in()
    for provider in get_snapshot().providers:
        for model in provider.models:
            if provider.find_model(model.id) is not model:
                continue  # its id is no name that a log could have
            output = 10 if model.get_prices(AT).output_mtok is not None else 0
            usage = LibraryUsage(input_tokens=1_000, output_tokens=output)
            said = model.calc_price(usage, provider, genai_request_timestamp=AT).total_price
            if said and book.price(provider.id, model.id, AT_US, Usage(1_000, output))[0] is None:
                print(f"{provider.id:24} {model.id:44} {said * 10**9:>12,.0f} nano-dollars")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if "--unknown" in sys.argv:
        unknown()
    else:
        hits()
        misses()
