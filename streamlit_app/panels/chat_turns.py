"""The turns of a chat: questions, answers and what can be done with the last one."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import streamlit as st

from streamlit_app.components.safe_text import literal
from streamlit_app.panels.chat_columns import PARAMETERS, Column, to_request
from streamlit_app.panels.chat_model import Instructions, Model, choose_model
from streamlit_app.panels.transcript import Actions, compare, describe_gap, show_answer, show_question
from streamlit_app.state.recent_turns import ask_next, recent_turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1 import chat_service_pb2 as pb
    from streamlit.delta_generator import DeltaGenerator

    from streamlit_app.data.chat import LiveTurn
    from streamlit_app.data.turns import Turn

INPUT: Final = "chat_text"
"""Key of the input's text in the session."""
_SAMPLES: Final = (
    "Explain p95 latency to a product manager.",
    "Write a Python function that retries with back-off.",
    "Compare two ways to lower token costs in a table.",
    "Draft a reply to a customer whose order is late.",
)


def show_columns(
    columns: Sequence[Column], known: Sequence[pb.ProviderModels], instructions: Instructions
) -> DeltaGenerator:
    """Show the turns; return the place for the next one."""
    if len(columns) > 1:
        for place, column in zip(st.columns(2), columns, strict=True):
            with place:
                choose_model(
                    column.model, known, parameter=PARAMETERS[column.number][1], label="A model to compare"
                )
    if len(columns) == 1:
        _show_turns(columns[0], instructions)
    else:
        _show_compared(columns, instructions)
    place = st.empty()
    if not any(column.turns for column in columns):
        with place.container():
            _show_samples(columns, instructions)
    return place


def _show_turns(column: Column, instructions: Instructions) -> None:
    before = None
    for number, turn in enumerate(column.turns):
        is_last = number == len(column.turns) - 1 and not column.is_closed
        show_question(turn, describe_gap(before, turn))
        _show_answers(column, turn, number, instructions if is_last else None)
        before = next((answer.time for answer in reversed(turn.answers) if answer.time), None)


def _show_compared(columns: Sequence[Column], instructions: Instructions) -> None:
    pairs = list(zip_longest(*(column.turns for column in columns)))
    for number, pair in enumerate(pairs):
        question = next(turn for turn in pair if turn)
        show_question(question)
        answers = [turn.answers[-1] if turn and turn.answers else None for turn in pair]
        for place, column, turn in zip(st.columns(2), columns, pair, strict=True):
            with place.container(border=True, height="stretch"):
                if turn and turn.question != question.question:
                    show_question(turn)
                if turn:
                    praise = compare(answers[column.number], answers[1 - column.number])
                    is_last = number == len(pairs) - 1
                    _show_answers(column, turn, number, instructions if is_last else None, praise)


def _show_answers(
    column: Column,
    turn: Turn,
    number: int,
    instructions: Instructions | None,
    praise: Sequence[str] = (),
) -> None:
    """Show the answers of a turn. With instructions, the last one can be asked for again."""
    actions = _actions(column, turn, instructions) if instructions and turn.question else None
    for attempt, answer in enumerate(turn.answers):
        is_last = attempt == len(turn.answers) - 1
        key = f"{column.number}_{number}_{attempt}"
        show_answer(answer, key=key, actions=actions if is_last else None, praise=praise if is_last else ())
    if not turn.answers:
        st.caption(":material/hourglass_empty: No answer was stored.")
        if actions:
            st.button("Ask again", icon=":material/refresh:", key="unanswered", on_click=actions.retry)


def _actions(column: Column, turn: Turn, instructions: Instructions) -> Actions:
    live = next((live for live in recent_turns(column.conversation_id) if _is_same(live.turn, turn)), None)
    text = live.request.content if live else turn.question  # what is stored may be redacted
    request = _request_again(column, live, text, instructions)
    return Actions(
        retry=lambda: ask_next({column.number: request}),
        edit=lambda: st.session_state.update({INPUT: text}),
    )


def _request_again(
    column: Column, live: LiveTurn | None, text: str, instructions: Instructions
) -> pb.ChatTurn:
    """Return what asks a question again: the same request, if it failed and its model is still chosen.

    Then the server continues that attempt, and stores the question once.
    """
    if live and live.answer.failed and Model(live.request.provider, live.request.model) == column.model:
        return live.request
    return to_request(column, text, instructions)


def _is_same(one: Turn, other: Turn) -> bool:
    return one is other or bool(one.question_id and one.question_id == other.question_id)


def _show_samples(columns: Sequence[Column], instructions: Instructions) -> None:
    with st.container(horizontal_alignment="center", key="samples"):
        st.header("What would you like to ask?", anchor=False, width="content")
        st.caption("Every answer comes with its time, tokens and cost, and is in the logs.", width="content")
        left, right = st.columns(2)
        for number, sample in enumerate(_SAMPLES):
            requests = {column.number: to_request(column, sample, instructions) for column in columns}
            (right if number % 2 else left).button(
                literal(sample),
                key=f"sample_{number}",
                width="stretch",
                disabled=not all(column.model for column in columns),
                on_click=ask_next,
                args=(requests,),
            )
