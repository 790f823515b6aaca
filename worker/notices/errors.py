"""Why a message was not delivered."""

from __future__ import annotations


class NotDelivered(Exception):
    """A message was not delivered. The text says why; it holds neither URL, nor secret, nor answer."""
