"""The sentence at the top: is anything lost, stuck, or about to be?"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import streamlit as st
from llm_observe.v1 import health_service_pb2 as pb

from streamlit_app import format as fmt
from streamlit_app.components.safe_text import literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamlit_app.data.server import Ledger

_OLD_S: Final = 60.0
"""Age of the oldest batch, in seconds, from which the queue counts as stuck."""

_SAID_ABOVE: Final = ("no_worker", "late_batches", "dead_letters", "undelivered_alerts")
"""Kinds of problems that have a sentence of this page's own."""


class Level(IntEnum):
    """How bad something is."""

    GOOD = 0
    WARNING = 1
    BAD = 2


class Finding(NamedTuple):
    """One sentence of the verdict."""

    level: Level
    words: str


def show_verdict(health: pb.CheckResponse, ledger: Ledger | None) -> None:
    """Show the verdict, and each dependency with the time that its answer took."""
    findings = judge(health, ledger)
    worst = max(finding.level for finding in findings)
    text = " ".join(finding.words for finding in findings if finding.level == worst)
    others = " ".join(finding.words for finding in findings if finding.level != worst)
    with st.container(border=True, gap="small", key="verdict"):
        if worst == Level.GOOD:
            st.header(f":green[:material/check_circle:] {literal(text)}", anchor=False)
        elif worst == Level.WARNING:
            st.header(f":orange[:material/warning:] {literal(text)}", anchor=False)
        else:
            st.header(f":red[:material/error:] {literal(text)}", anchor=False)
        if worst != Level.GOOD and others:
            st.markdown(literal(others))
        with st.container(horizontal=True, gap="xsmall", key="dependencies"):
            for dependency in health.dependencies:
                _show_dependency(dependency)
            st.caption(literal(_server(health)), width="content")


def judge(health: pb.CheckResponse, ledger: Ledger | None) -> list[Finding]:
    """Return what there is to say, in the order of the page. ``ledger`` is None where it cannot be read."""
    return [
        *_judge_dependencies(health),
        *_judge_delivery(ledger),
        *_judge_queue(health),
        *_judge_rest(health),
        *_judge_others(health),
    ]


def _judge_dependencies(health: pb.CheckResponse) -> Iterator[Finding]:
    for dependency in health.dependencies:
        if dependency.state != pb.HEALTH_STATE_HEALTHY:
            level = Level.WARNING if dependency.state == pb.HEALTH_STATE_DEGRADED else Level.BAD
            if dependency.HasField("latency"):  # it answers, and says what is wrong
                yield Finding(level, _sentence(dependency.message))
            else:
                yield Finding(
                    level, f"{dependency.name.capitalize()} does not work: {_sentence(dependency.message)}"
                )


def _judge_delivery(ledger: Ledger | None) -> Iterator[Finding]:
    if ledger is None:
        return
    if ledger.missing_batches:
        yield Finding(Level.BAD, f"{count(ledger.missing_batches, 'batch', 'batches')} never arrived.")
    if ledger.dropped:
        yield Finding(Level.BAD, f"Producers dropped {count(ledger.dropped, 'log')}.")
    if ledger.rejected:
        yield Finding(Level.WARNING, f"{count(ledger.rejected, 'log')} rejected for their content.")
    if ledger.queued:
        yield Finding(Level.GOOD, f"{count(ledger.queued, 'log')} not stored yet.")
    if not ledger.sent:
        yield Finding(Level.GOOD, "Nothing was sent in this window.")
    elif not ledger.lost:
        stored = "is stored" if not ledger.queued else "is stored or on its way"
        yield Finding(Level.GOOD, f"Everything that was sent {stored}.")


def _judge_queue(health: pb.CheckResponse) -> Iterator[Finding]:
    if not health.HasField("queue"):
        yield Finding(Level.BAD, "The queue cannot be seen.")
        return
    queue = health.queue
    age_s = fmt.seconds(queue.oldest_age)
    if not queue.depth:
        yield Finding(Level.GOOD, "Queue empty.")
    else:
        level = Level.WARNING if age_s >= _OLD_S else Level.GOOD
        words = (
            f"{count(queue.depth, 'batch', 'batches')} in the queue, the oldest for {fmt.duration(age_s)}."
        )
        yield Finding(level, words)
    if queue.consumer_count:
        yield Finding(Level.GOOD, f"{count(queue.consumer_count, 'worker')}.")
    else:
        yield Finding(Level.BAD, "No worker is running, so nothing is stored.")


def _judge_rest(health: pb.CheckResponse) -> Iterator[Finding]:
    if health.dead_letter_count:
        verb = "waits" if health.dead_letter_count == 1 else "wait"
        letters = count(health.dead_letter_count, "dead letter")
        yield Finding(Level.WARNING, f"{letters} {verb} to be replayed or discarded.")
    if health.undelivered_alert_message_count:
        messages = count(health.undelivered_alert_message_count, "alert message")
        yield Finding(Level.WARNING, f"{messages} could not be delivered.")
    if health.rollups.overflow_hour_count:
        hours = count(health.rollups.overflow_hour_count, "hour")
        yield Finding(Level.WARNING, f"Too many groups in {hours}: the rest is counted as other.")


def _judge_others(health: pb.CheckResponse) -> Iterator[Finding]:
    """Yield the problems that are said nowhere else, in the server's words."""
    stores = tuple(f"{dependency.name}_" for dependency in health.dependencies)
    for problem in health.problems:
        if problem.kind not in _SAID_ABOVE and not problem.kind.startswith(stores):
            level = Level.WARNING if problem.state == pb.HEALTH_STATE_DEGRADED else Level.BAD
            yield Finding(level, _sentence(problem.message[:1].upper() + problem.message[1:]))


def count(number: int, one: str, many: str = "") -> str:
    """Return ``1 log``, ``1,200 logs``."""
    return f"{fmt.exact(number)} {one if number == 1 else many or f'{one}s'}"


def _sentence(message: str) -> str:
    text = message.strip() or "no reason given"
    return text if text.endswith(".") else f"{text}."


def _show_dependency(dependency: pb.DependencyHealth) -> None:
    latency = fmt.duration(fmt.seconds(dependency.latency)) if dependency.HasField("latency") else "no answer"
    if dependency.HasField("latency") and fmt.seconds(dependency.latency) < 0.01:  # noqa: PLR2004 - too short for whole milliseconds
        latency = f"{fmt.seconds(dependency.latency) * 1000:.1f} ms"
    healthy = dependency.state == pb.HEALTH_STATE_HEALTHY
    st.badge(
        literal(f"{dependency.name} {latency}"),
        icon=":material/check:" if healthy else ":material/error:",
        color="green" if healthy else "red",
        help=literal(dependency.message) or None,
    )


def _server(health: pb.CheckResponse) -> str:
    return f"server {health.version}" if health.version else ""
