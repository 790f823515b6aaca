"""Chat: try a model, see what it costs, come back later. Every call is recorded like any other."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import streamlit as st
from llm_observe.v1 import chat_service_pb2 as pb

from streamlit_app.components.empty import read_with_placeholders
from streamlit_app.components.errors import show_connection_state, show_panel_state
from streamlit_app.components.header import plain_header
from streamlit_app.components.links import page_link
from streamlit_app.components.safe_text import literal
from streamlit_app.components.sidebar import page_area
from streamlit_app.data.chat import LiveTurn, list_models
from streamlit_app.data.conversations import get_conversation, list_calls, list_conversations
from streamlit_app.data.reads import read_together
from streamlit_app.data.turns import Turn, merge, to_turns
from streamlit_app.panels.chat_model import (
    Instructions,
    Model,
    choose_instructions,
    choose_model,
    configured_models,
    resolve_model,
)
from streamlit_app.panels.conversation_actions import (
    describe_state,
    is_closed,
    show_menu,
    show_notice,
    show_resume_button,
    title_of,
)
from streamlit_app.panels.live_answers import show_live
from streamlit_app.panels.transcript import Actions, compare, describe_gap, show_answer, show_question
from streamlit_app.state.recent_turns import (
    ask_next,
    forget_refused,
    recent_turns,
    remember,
    take_next,
    take_refused,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from llm_observe.v1.conversation_pb2 import Conversation
    from llm_observe.v1.conversation_service_pb2 import GetConversationResponse, ListConversationsResponse
    from llm_observe.v1.log_pb2 import Log
    from streamlit.delta_generator import DeltaGenerator

    from streamlit_app.data.reads import Read, Reads

INPUT: Final = "chat_text"
_MISSING: Final = frozenset({"CONVERSATION_NOT_FOUND", "INVALID_FIELD"})
_MAX_CHARS: Final = 100_000
_RECENT_CONVERSATIONS: Final = 8
_PLACEHOLDERS: Final = (60, 120, 60, 160)
_PARAMETERS: Final = (("conversation", "model"), ("other", "compare"))
"""Of each column: the parameters of the URL that hold its conversation and its model."""
_SAMPLES: Final = (
    "Explain p95 latency to a product manager.",
    "Write a Python function that retries with back-off.",
    "Compare two ways to lower token costs in a table.",
    "Draft a reply to a customer whose order is late.",
)


@dataclass(slots=True)
class _Column:
    """A conversation and the model that is asked in it; there are two when models are compared."""

    number: int
    conversation_id: str
    stored: Read[GetConversationResponse] | None
    calls: Read[list[Log]] | None
    model: Model | None = None
    turns: list[Turn] = field(default_factory=list)

    @property
    def conversation(self) -> Conversation | None:
        return self.stored.value.conversation if self.stored and self.stored.value else None

    @property
    def is_missing(self) -> bool:
        """Whether the server says that there is no such conversation."""
        return bool(self.stored and self.stored.error and self.stored.error.reason in _MISSING)

    @property
    def is_closed(self) -> bool:
        return self.conversation is not None and is_closed(self.conversation)


def render() -> None:
    """Show the page."""
    st.session_state.setdefault("session_id", str(uuid.uuid4()))
    show_notice()
    head = st.empty()
    head.title("Chat", anchor=False)
    with _reading() as reads:
        models = reads.start("models", list_models)
        recent = reads.start(
            "recent conversations", lambda: list_conversations(page_size=_RECENT_CONVERSATIONS)
        )
        columns = [_start(reads, number) for number in range(2 if "compare" in st.query_params else 1)]
    _show_recent(recent)
    if not show_connection_state(reads) or not show_panel_state(models):
        return
    if any(column.is_missing for column in columns):
        _show_missing()
        return
    known = models.value or []
    for column in columns:
        _fill(column, known)
    with head.container():
        instructions = _show_header(columns, known)
    with st.container(key="chat_wide" if len(columns) > 1 else "chat"):
        live = _show_columns(columns, known, instructions)
    # Outside of the container, and so at the bottom of the page.
    asked = _show_input(columns, known)
    requests = take_next()
    if asked:
        requests = {column.number: _to_request(column, asked, instructions) for column in columns}
    if requests:
        with live.container():
            _ask(columns, requests)


def _reading() -> AbstractContextManager[Reads]:
    view = tuple(st.query_params.get(parameter, "") for parameter, _ in _PARAMETERS)
    if recent_turns(view[0]) or not view[0]:
        return read_together("chat", view)
    return read_with_placeholders("chat", view, _PLACEHOLDERS)


def _start(reads: Reads, number: int) -> _Column:
    conversation_id = st.query_params.get(_PARAMETERS[number][0], "")
    if not conversation_id:
        return _Column(number, "", None, None)
    return _Column(
        number,
        conversation_id,
        reads.start(f"conversation {number}", lambda: get_conversation(conversation_id)),
        reads.start(f"calls {number}", lambda: list_calls(conversation_id)),
    )


def _fill(column: _Column, known: Sequence[pb.ProviderModels]) -> None:
    """Add the turns, and the model: of the URL, else of the last answer, else the first of the server."""
    answer = column.stored.value if column.stored else None
    calls = column.calls.value if column.calls else None
    stored = to_turns(answer.messages, calls or ()) if answer else []
    column.turns = merge(stored, [live.turn for live in recent_turns(column.conversation_id)])
    last = Model(answer.conversation.provider, answer.conversation.model) if answer else None
    wanted = Model.parse(st.query_params.get(_PARAMETERS[column.number][1], ""))
    others = configured_models(known)[1:] if column.number else []
    column.model = resolve_model([wanted, _suggested(last, known), *others], known)


def _suggested(last: Model | None, known: Sequence[pb.ProviderModels]) -> Model | None:
    """Return the suggested model that gave the last answer: answers name versions, such as gpt-5-2026-01."""
    if last is None:
        return None
    same = [model for model in configured_models(known) if model.provider == last.provider]
    exact = [model for model in same if last.name.startswith(model.name)]
    return max(exact, key=lambda model: len(model.name), default=next(iter(same), None))


# -- the head ----------------------------------------------------------------------------------------------


def _show_header(columns: Sequence[_Column], known: Sequence[pb.ProviderModels]) -> Instructions:
    conversation = columns[0].conversation
    title = title_of(conversation) if conversation else "Chat"
    with plain_header(title if len(columns) == 1 else "Compare two models"):
        if len(columns) == 1:
            if conversation and columns[0].is_closed:
                word, colour = describe_state(conversation)
                st.badge(literal(word), color=colour)
            choose_model(columns[0].model, known, parameter="model", label="The model that is asked")
        instructions = choose_instructions()
        st.button(
            "Compare" if len(columns) == 1 else "End",
            icon=":material/compare_arrows:" if len(columns) == 1 else ":material/close:",
            key="compare",
            help="Ask two models the same" if len(columns) == 1 else "Ask one model",
            on_click=_toggle_compare,
            args=(str(columns[0].model or ""), [str(model) for model in configured_models(known)]),
        )
        if conversation and len(columns) == 1:
            show_menu(conversation, key="conversation_menu")
        if columns[0].turns or len(columns) > 1:
            st.button("New chat", icon=":material/add:", key="new_chat", on_click=_begin_anew)
    return instructions


def _toggle_compare(model: str, models: Sequence[str]) -> None:
    """Begin to compare, or end it: with an empty conversation, so that the models know the same."""
    is_comparing = "compare" in st.query_params
    _begin_anew()
    if is_comparing:
        st.query_params.pop("compare", None)
    else:
        st.query_params["model"] = model
        st.query_params["compare"] = next((other for other in models if other != model), model)


def _begin_anew() -> None:
    forget_refused()
    for parameter, _ in _PARAMETERS:
        st.query_params.pop(parameter, None)


def _show_recent(recent: Read[ListConversationsResponse]) -> None:
    """List the conversations of late in the sidebar."""
    found = recent.value.conversations if recent.value else ()
    if not found:
        return
    with page_area().container(gap=None, key="recent_conversations"):
        st.caption("Recent")
        shown = st.query_params.get("conversation")
        for number, conversation in enumerate(found):
            is_shown = conversation.conversation_id == shown
            with st.container(gap=None, key="recent_shown" if is_shown else f"recent_{number}"):
                page_link(
                    title_of(conversation),
                    "chat",
                    icon=":material/chat_bubble:",
                    conversation=conversation.conversation_id,
                )
        page_link("All conversations", "conversations")


def _show_missing() -> None:
    with st.container(border=True, horizontal_alignment="center", key="missing"):
        st.markdown("**There is no such conversation: it may have been deleted.**", width="content")
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.button("New chat", icon=":material/add:", key="new_chat", on_click=_begin_anew)
            page_link("All conversations", "conversations")


# -- the turns ---------------------------------------------------------------------------------------------


def _show_columns(
    columns: Sequence[_Column], known: Sequence[pb.ProviderModels], instructions: Instructions
) -> DeltaGenerator:
    """Show the turns; return the place for the next one."""
    if len(columns) > 1:
        for place, column in zip(st.columns(2), columns, strict=True):
            with place:
                choose_model(
                    column.model, known, parameter=_PARAMETERS[column.number][1], label="A model to compare"
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


def _show_turns(column: _Column, instructions: Instructions) -> None:
    before = None
    for number, turn in enumerate(column.turns):
        is_last = number == len(column.turns) - 1 and not column.is_closed
        show_question(turn, describe_gap(before, turn))
        _show_answers(column, turn, number, instructions if is_last else None)
        before = next((answer.time for answer in reversed(turn.answers) if answer.time), None)


def _show_compared(columns: Sequence[_Column], instructions: Instructions) -> None:
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
    column: _Column,
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


def _actions(column: _Column, turn: Turn, instructions: Instructions) -> Actions:
    live = next((live for live in recent_turns(column.conversation_id) if _is_same(live.turn, turn)), None)
    text = live.request.content if live else turn.question  # what is stored may be redacted
    request = _request_again(column, live, text, instructions)
    return Actions(
        retry=lambda: ask_next({column.number: request}),
        edit=lambda: st.session_state.update({INPUT: text}),
    )


def _request_again(
    column: _Column, live: LiveTurn | None, text: str, instructions: Instructions
) -> pb.ChatTurn:
    """Return what asks a question again: the same request, if it failed and its model is still chosen.

    Then the server continues that attempt, and stores the question once.
    """
    if live and live.answer.failed and Model(live.request.provider, live.request.model) == column.model:
        return live.request
    return _to_request(column, text, instructions)


def _is_same(one: Turn, other: Turn) -> bool:
    return one is other or bool(one.question_id and one.question_id == other.question_id)


def _show_samples(columns: Sequence[_Column], instructions: Instructions) -> None:
    with st.container(horizontal_alignment="center", key="samples"):
        st.header("What would you like to ask?", anchor=False, width="content")
        st.caption("Every answer comes with its time, tokens and cost, and is in the logs.", width="content")
        left, right = st.columns(2)
        for number, sample in enumerate(_SAMPLES):
            requests = {column.number: _to_request(column, sample, instructions) for column in columns}
            (right if number % 2 else left).button(
                sample,
                key=f"sample_{number}",
                width="stretch",
                disabled=not all(column.model for column in columns),
                on_click=ask_next,
                args=(requests,),
            )


# -- asking ------------------------------------------------------------------------------------------------


def _show_input(columns: Sequence[_Column], known: Sequence[pb.ProviderModels]) -> str | None:
    """Show the input, or why there is none; return what was sent."""
    closed = next((column.conversation for column in columns if column.is_closed), None)
    with st.bottom:
        if closed:
            _show_closed(closed)
            return None
        if any(column.model and column.model.provider == "demo" for column in columns):
            _show_demo(known)
    refused = take_refused()
    if refused:
        st.session_state[INPUT] = refused
    sent = st.chat_input(
        "Message",
        key=INPUT,
        max_chars=_MAX_CHARS,
        submit_mode="stop",
        disabled=not all(column.model for column in columns),
    )
    return str(sent) if sent else None


def _show_closed(conversation: Conversation) -> None:
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="closed"):
        word, _ = describe_state(conversation)
        st.markdown(f"This conversation is {literal(word)}.", width="content")
        st.space("stretch")
        show_resume_button(conversation, key="resume")


def _show_demo(known: Sequence[pb.ProviderModels]) -> None:
    missing = [entry.required_setting for entry in known if not entry.configured]
    is_alone = all(entry.provider == "demo" for entry in known if entry.configured)
    way = f"Set {' or '.join(missing)} to ask" if is_alone else "Choose another model above for"
    st.caption(
        ":gray-badge[:material/science: demo] "
        + literal(f"No model is called: the demo repeats what you write, for free. {way} a real one.")
    )


def _to_request(column: _Column, content: str, instructions: Instructions) -> pb.ChatTurn:
    return pb.ChatTurn(
        session_id=st.session_state.session_id,
        conversation_id=column.conversation_id,
        provider=column.model.provider if column.model else "",
        model=column.model.name if column.model else "",
        content=content,
        system_prompt=instructions.system_prompt,
        parameters=instructions.parameters,
        request_id=str(uuid.uuid4()),
    )


def _ask(columns: Sequence[_Column], requests: dict[int, pb.ChatTurn]) -> None:
    """Ask, show the answers while they come, then draw the page anew with what came of them."""
    live = {number: LiveTurn(request) for number, request in requests.items()}
    remember(list(live.values()))
    show_question(next(iter(live.values())).turn)
    places: list[DeltaGenerator] = [st.container()] if len(columns) == 1 else list(st.columns(2))
    show_live(live, dict(enumerate(places)), _keep_conversation)
    for number, turn in live.items():
        _keep_conversation(number, turn)
    st.rerun()


def _keep_conversation(number: int, live: LiveTurn) -> None:
    """Put the conversation into the URL."""
    parameter = _PARAMETERS[number][0]
    if live.conversation_id and st.query_params.get(parameter) != live.conversation_id:
        st.query_params[parameter] = live.conversation_id
