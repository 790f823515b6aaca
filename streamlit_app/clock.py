"""The current time. Tests replace ``now`` to make pages reproducible."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def viewer_zone() -> tzinfo:
    """Return the time zone of the visitor's browser; UTC until it is known."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):  # a browser may name any zone
        return UTC
