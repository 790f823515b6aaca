"""Why a message was not delivered."""

from __future__ import annotations


class NotDelivered(Exception):
    """A message was not delivered; the text says why, and holds neither URL nor secret nor what was answered."""
