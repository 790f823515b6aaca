"""The price book: layers of prices, of which the first that knows a model prices it."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final, Protocol

from analytics.pricing.library import STANDARD_TIERS, Library
from analytics.pricing.price_list import PriceList
from analytics.pricing.rates import RateCard, price_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.pricing.rates import Price, RateRow, Usage

CACHE_SIZE: Final = 4_096
"""Cards that are kept. Applications choose the names of models, so that they may be without end."""
OPERATIONS_WITHOUT_OUTPUT: Final = frozenset({"embeddings"})


class PriceLayer(Protocol):
    """Prices of one origin."""

    version: str

    def rows(self, provider: str, model: str, service_tier: str) -> Sequence[RateRow]:
        """Return the rates of a model, in order of precedence; none where it is not known."""
        ...


class PriceBook:
    """The layers of prices, asked in order, behind a bounded cache. Not for several threads at once."""

    def __init__(self, layers: Sequence[PriceLayer]) -> None:
        self._layers = layers
        self._cards: dict[tuple[str, str, str], RateCard] = {}

    @classmethod
    def built_in(cls, *first: PriceLayer) -> PriceBook:
        """Return a book of the built-in prices, with others before them."""
        overrides = files("analytics.pricing").joinpath("overrides.toml").read_text(encoding="utf-8")
        return cls((*first, PriceList.parse(overrides, source="overrides"), Library()))

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions of the layers, in the order asked."""
        return tuple(layer.version for layer in self._layers)

    def card(self, provider: str, model: str, service_tier: str = "", response_model: str = "") -> RateCard:
        """Return the rates of a model in a service tier; without rows where nobody knows it.

        Args:
            provider: As in the log.
            model: The requested model.
            service_tier: As in the log; empty is the standard tier.
            response_model: The model that answered, taken where no price list knows the requested one: a
                deployment on Azure has a name of its own.
        """
        card = self._card(provider, model, service_tier)
        if not card.rows and response_model and response_model != model:
            return self._card(provider, response_model, service_tier)
        return card

    def price(
        self,
        provider: str,
        model: str,
        start_us: int,
        usage: Usage,
        *,
        service_tier: str = "",
        operation: str = "",
        response_model: str = "",
    ) -> Price:
        """Return what a call costs, and the version of the price list asked.

        Args:
            provider: As in the log.
            model: As in the log.
            start_us: When the call began, in microseconds since 2000.
            usage: Its token counts.
            service_tier: As in the log.
            operation: As in the log.
            response_model: As in the log.
        """
        card = self._cards.get((provider, model, service_tier))
        if card is None or not card.rows:
            card = self.card(provider, model, service_tier, response_model)
        return price_of(card, start_us, usage, has_output=operation not in OPERATIONS_WITHOUT_OUTPUT)

    def _card(self, provider: str, model: str, service_tier: str) -> RateCard:
        key = (provider, model, service_tier)
        card = self._cards.get(key)
        if card is None:
            if len(self._cards) >= CACHE_SIZE:
                del self._cards[next(iter(self._cards))]
            card = self._cards[key] = self._look_up(*key)
        return card

    def _look_up(self, provider: str, model: str, service_tier: str) -> RateCard:
        tier = service_tier.strip().lower()
        tier = "" if tier in STANDARD_TIERS else tier
        rows = [row for layer in self._layers for row in layer.rows(provider, model, tier)]
        return RateCard.of(rows, self._layers[-1].version)
