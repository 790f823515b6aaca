"""Where prices come from besides the built-in ones."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it at run time

from pydantic import Field, field_validator

from analytics.pricing.book import PriceBook
from analytics.pricing.price_list import PriceList
from telemetry.settings import EnvSettings


class PricingSettings(EnvSettings):
    """Where prices come from besides the built-in ones."""

    price_file: Path | None = Field(None, alias="LLM_OBSERVE_PRICE_FILE")
    """Prices of your own, in TOML; they stand before the built-in ones."""

    @field_validator("price_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("price_file")
    @classmethod
    def _can_be_read(cls, path: Path | None) -> Path | None:
        if path is not None:
            _read(path)
        return path

    def make_price_book(self) -> PriceBook:
        """Return the prices, with those of the user's file first."""
        return PriceBook.built_in() if self.price_file is None else PriceBook.built_in(_read(self.price_file))


def _read(path: Path) -> PriceList:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError("the file is not UTF-8") from None
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    return PriceList.parse(text, source="file")
