"""Prices asked for in the words of a log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from analytics.pricing.book import PriceBook
from analytics.pricing.price_list import PriceList
from analytics.pricing.rates import Usage
from storage.copy_format import EPOCH

BOOK = PriceBook.built_in()
TODAY = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a Friday, after the latest date in the package's data


def microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def price(provider, model, *, at=TODAY, tier="", operation="chat", response_model="", book=BOOK, **counts):
    return book.price(
        provider,
        model,
        microseconds(at),
        Usage(**counts),
        service_tier=tier,
        operation=operation,
        response_model=response_model,
    )


def cost(provider, model, **rest):
    return price(provider, model, **rest)[0]


def book_of(text: str) -> PriceBook:
    """Return the built-in prices with a user's file before them."""
    return PriceBook.built_in(PriceList.parse(text, source="file"))
