"""The turns of a conversation: questions, answers, their numbers, and what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import streamlit as st

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.components.copy_button import copy_button
from streamlit_app.components.links import page_link
from streamlit_app.components.redactions import describe_redactions, find_redactions, mark_redactions
from streamlit_app.components.safe_text import (
    MAX_PARSED_CHARS,
    literal,
    literal_lines,
    safe_markdown,
    small,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from streamlit.delta_generator import DeltaGenerator

    from streamlit_app.data.turns import Answer, Numbers, Turn

ASKED_BY: Final = ":material/person:"
ANSWERED_BY: Final = ":material/auto_awesome:"
_LOG_ICON: Final = ":material/receipt_long:"
NO_TEXT: Final = "Its text is not kept: LLM_OBSERVE_STORE_MESSAGES is none."
_CLEARLY: Final = 1.1
"""How many times better an answer must be for the page to say so."""
_WHAT_TO_DO: Final = {
    "PROVIDER_RATE_LIMITED": "Wait a little, or choose another model.",
    "PROVIDER_UNAVAILABLE": "Retry, or choose another model.",
    "PROVIDER_TIMEOUT": "Retry, or choose another model.",
    "RATE_LIMITED": "Wait a minute: a session may ask 30 questions a minute.",
    "CONTEXT_TOO_LONG": "",
    "UNAVAILABLE": "Is it running? Run llm-observe status to find out.",
    "DEADLINE_EXCEEDED": "Is it running? Run llm-observe status to find out.",
}


def show_question(turn: Turn, note: str = "") -> None:
    """Show a question. ``note`` stands below it."""
    with st.chat_message("user", avatar=ASKED_BY):
        if turn.question:
            show_as_written(turn.question)
        else:
            st.caption(literal("The question. " + NO_TEXT if turn.text_missing else "Earlier messages."))
        redacted = describe_redactions(find_redactions([turn.question]))
        line = " · ".join(part for part in (redacted, literal(note)) if part)
        if line:
            st.caption(line)


def show_as_written(text: str) -> None:
    """Show what a person wrote, as it is; only placeholders of what was redacted stand out."""
    if find_redactions([text]) and len(text) <= MAX_PARSED_CHARS:
        st.markdown(mark_redactions(literal_lines(text)))
    else:
        st.text(text)


def show_answer_text(place: DeltaGenerator, text: str) -> None:
    """Show an answer's structure, without anything that a browser would fetch."""
    if len(text) > MAX_PARSED_CHARS:
        place.text(text)
    else:
        place.markdown(mark_redactions(safe_markdown(text)))


class Actions(NamedTuple):
    """What the buttons beside an answer do: ask again, and put the question into the input."""

    retry: Callable[[], None]
    edit: Callable[[], None]


def show_answer(
    answer: Answer, *, key: str, actions: Actions | None = None, praise: Sequence[str] = ()
) -> None:
    """Show an answer with its numbers, and buttons for the actions. ``praise`` says what it is better at."""
    with st.chat_message("assistant", avatar=ANSWERED_BY):
        if answer.text:
            show_answer_text(st.empty(), answer.text)
        elif answer.outcome == "success":
            st.caption(literal(f"The answer. {NO_TEXT}"))
        if answer.failed:
            _show_failure(answer, key, actions)
        elif answer.outcome == "cancelled":
            after = answer.numbers.latency_s
            words = "stopped" if after is None else f"stopped · {fmt.duration(after)}"
            st.badge(literal(words), icon=":material/stop_circle:", color="orange")
        if praise:
            st.markdown(" ".join(f":green-badge[{literal(words)}]" for words in praise))
        _show_foot(answer, key, actions)


def _show_failure(answer: Answer, key: str, actions: Actions | None) -> None:
    sentence = describe_failure(answer)
    with st.container(key=f"failure_{key}", gap="xsmall"):
        before = "It broke off. " if answer.text else ""
        st.error(
            f"{literal(before + sentence)} {small(answer.error_code)}",
            icon=":material/error:",
        )
        if actions:
            st.button("Retry", icon=":material/refresh:", key=f"retry_{key}", on_click=actions.retry)


def describe_failure(answer: Answer) -> str:
    """Return why an answer failed, and what to do."""
    text = answer.error_message.strip() or "The call failed"
    sentence = f"{text[:1].upper()}{text[1:]}"
    sentence = sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
    return f"{sentence} {_WHAT_TO_DO.get(answer.error_code, '')}".strip()


def _show_foot(answer: Answer, key: str, actions: Actions | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall", key=f"foot_{key}"):
        st.caption(describe_answer(answer), width="content")
        st.space("stretch")
        if answer.text:
            copy_button(answer.text, key=f"copy_{key}")
        if actions:
            _icon_button("edit", f"edit_{key}", "Edit the question and send it again", actions.edit)
        if actions and not answer.failed:
            _icon_button("refresh", f"again_{key}", "Ask again", actions.retry)
        if answer.log_id:
            page_link("Log", "logs", icon=_LOG_ICON, hint="This call's log", log=answer.log_id)


def _icon_button(icon: str, key: str, hint: str, action: Callable[[], None]) -> None:
    st.button("", icon=f":material/{icon}:", type="tertiary", key=key, help=hint, on_click=action)


def describe_answer(answer: Answer) -> str:
    """Return the line under an answer, as markdown: model, times, tokens, cost."""
    numbers = answer.numbers
    parts = [f"**{literal(answer.model or answer.provider)}**"] if answer.model or answer.provider else []
    if answer.outcome == "success":
        parts += [literal(words) for words in _describe_numbers(numbers)]
    elif answer.failed and numbers.latency_s is not None:
        parts.append(literal(f"failed after {fmt.duration(numbers.latency_s)}"))
    return " · ".join(parts)


def _describe_numbers(numbers: Numbers) -> list[str]:
    words = []
    if numbers.latency_s is not None:
        words.append(fmt.duration(numbers.latency_s))
    if numbers.first_token_s is not None:
        words.append(f"first token {fmt.duration(numbers.first_token_s)}")
    if numbers.tokens_per_s is not None:
        words.append(f"{numbers.tokens_per_s:.0f} tok/s")
    if numbers.input_tokens is not None or numbers.output_tokens is not None:
        cached = f" ({fmt.exact(numbers.cached_tokens)} cached)" if numbers.cached_tokens else ""
        words.append(f"{fmt.exact(numbers.input_tokens)}{cached} → {fmt.exact(numbers.output_tokens)} tokens")
    else:
        words.append("tokens unknown")
    words.append("no price known" if numbers.cost_nano_usd is None else fmt.money(numbers.cost_nano_usd))
    return words


def compare(one: Answer | None, other: Answer | None) -> list[str]:
    """Return what one answer is clearly better at than another: ``2.1 times faster``."""
    if not one or not other or one.outcome != "success" or other.outcome != "success":
        return []
    better = {
        "faster": (one.numbers.latency_s, other.numbers.latency_s),
        "faster to first token": (one.numbers.first_token_s, other.numbers.first_token_s),
        "cheaper": (one.numbers.cost_nano_usd, other.numbers.cost_nano_usd),
    }
    ratios = {words: theirs / ours for words, (ours, theirs) in better.items() if ours and theirs}
    return [f"{ratio:.1f} times {words}" for words, ratio in ratios.items() if ratio >= _CLEARLY]


def show_sums(turns: Sequence[Turn]) -> None:
    """Show what a conversation took: messages, tokens, cost, time, and links to what failed."""
    answers = [answer for turn in turns for answer in turn.answers]
    tokens = [answer.numbers for answer in answers]
    sent = sum(numbers.input_tokens or 0 for numbers in tokens)
    received = sum(numbers.output_tokens or 0 for numbers in tokens)
    costs = [numbers.cost_nano_usd for numbers in tokens if numbers.cost_nano_usd is not None]
    unpriced = sum(answer.outcome == "success" for answer in answers) - len(costs)
    waited = sum(numbers.latency_s or 0 for numbers in tokens)
    parts = [
        literal(f"{len(turns)} turn{'' if len(turns) == 1 else 's'}"),
        literal(f"{fmt.exact(sent)} → {fmt.exact(received)} tokens"),
        literal(fmt.cost(sum(costs), len(costs), max(0, unpriced))),
        literal(f"{fmt.duration(waited)} of waiting"),
    ]
    st.caption(" · ".join(parts))


def describe_gap(before: datetime | None, turn: Turn) -> str:
    """Return when a question was asked, and how long after the answer before it."""
    if turn.time is None:
        return ""
    asked = fmt.date_time(turn.time, clock.viewer_zone())
    passed = (turn.time - before).total_seconds() if before else 0.0
    return f"{asked} · {fmt.duration(passed)} after the answer" if passed > 0 else asked
