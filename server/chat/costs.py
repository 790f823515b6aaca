"""What answers cost, as soon as they end: their logs are stored later, and say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codec.rows import price_of_log

if TYPE_CHECKING:
    from llm_observe import ChatStream
    from llm_observe.redaction import Redactor

    from analytics.pricing.book import PriceBook


class ChatCosts:
    """Prices answers by their logs, as the worker does.

    Args:
        prices: What calls cost.
        redactor: Redacts the names in a log: the worker prices what it stores.
    """

    def __init__(self, prices: PriceBook, redactor: Redactor) -> None:
        self._prices = prices
        self._redactor = redactor

    def cost_of(self, stream: ChatStream) -> int | None:
        """Return what a call has cost so far, in nano-dollars; None is unknown."""
        log = stream.log(self._redactor)
        return None if log is None else price_of_log(log, self._prices)[0]
