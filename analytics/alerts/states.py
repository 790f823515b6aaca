"""The life of an alert, as a function of time: pending, firing, resolved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

MAX_GAP: Final = timedelta(minutes=5)
"""Evaluations that are further apart say nothing of the time between: what must last begins anew."""

Notice = Literal["", "firing", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long conditions must last."""

    for_duration: timedelta
    """Until it fires."""
    keep_duration: timedelta
    """Until it is resolved."""
    repeat_interval: timedelta
    """Between two notices that it fires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """An open alert, or one that has just been resolved."""

    state: Literal["pending", "firing", "resolved"]
    start_time: datetime
    """Since when the condition holds."""
    seen_time: datetime
    """Of the last evaluation."""
    clear_time: datetime | None = None
    """Since when a firing one's condition has not held."""
    notice_time: datetime | None = None
    fire_time: datetime | None = None
    resolve_time: datetime | None = None


class Step(NamedTuple):
    """What an evaluation makes of an alert."""

    life: Life | None
    """None where there is no alert, or a pending one is dropped."""
    notice: Notice = ""


def advance(life: Life | None, policy: Policy, now: datetime, *, breached: bool) -> Step:
    """Return what becomes of an alert whose condition holds now, or does not.

    Args:
        life: The open alert; None without one.
        policy: How long conditions must last.
        now: The time of this evaluation. It may lie before the last one, by a clock that was set back.
        breached: Whether the condition holds. Without data it does not.
    """
    if life is None:
        if not breached:
            return Step(None)
        life = Life(state="pending", start_time=now, seen_time=now)
    if life.state == "pending":
        return _advance_pending(life, policy, now) if breached else Step(None)
    return _keep_firing(life, policy, now) if breached else _clear(life, policy, now)


def _advance_pending(life: Life, policy: Policy, now: datetime) -> Step:
    start = _since(life.start_time, life, now)
    life = replace(life, start_time=start, seen_time=now)
    if now - start < policy.for_duration:
        return Step(life)
    return Step(replace(life, state="firing", fire_time=now, notice_time=now), "firing")


def _keep_firing(life: Life, policy: Policy, now: datetime) -> Step:
    noticed = min(life.notice_time or now, now)
    life = replace(life, seen_time=now, clear_time=None, notice_time=noticed)
    if now - noticed < policy.repeat_interval:
        return Step(life)
    return Step(replace(life, notice_time=now), "firing")


def _clear(life: Life, policy: Policy, now: datetime) -> Step:
    clear = now if life.clear_time is None else _since(life.clear_time, life, now)
    life = replace(life, seen_time=now, clear_time=clear)
    if now - clear < policy.keep_duration:
        return Step(life)
    return Step(replace(life, state="resolved", resolve_time=now), "resolved")


def _since(start: datetime, life: Life, now: datetime) -> datetime:
    """Return since when something has lasted, as far as evaluations have seen it."""
    unseen = now - life.seen_time > MAX_GAP or now < life.seen_time - MAX_GAP
    return now if unseen else min(start, now)
