"""Why a message was not delivered."""

from __future__ import annotations


class NotDelivered(Exception):
    """A message was not delivered. The text says why; it holds no URL, address, secret or answer.

    Args:
        reason: Why.
        final: Sending it again would do harm, or no good.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final
