"""Everything about one call."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import streamlit as st
from google.protobuf.json_format import MessageToJson
from llm_observe.v1.log_pb2 import USAGE_SOURCE_ESTIMATED, Outcome, UsageSource

from streamlit_app import clock
from streamlit_app import format as fmt
from streamlit_app.colours import outcome_colour, palette
from streamlit_app.components.links import page_link
from streamlit_app.components.safe_text import html_text, literal, safe_table, small
from streamlit_app.pages import registered
from streamlit_app.panels.log_table import outcome_of
from streamlit_app.panels.trace import show_facts
from streamlit_app.state.filters import Filters
from streamlit_app.state.view import View
from streamlit_app.state.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp
    from llm_observe.v1.analytics_service_pb2 import GetLogResponse, LogRank
    from llm_observe.v1.log_pb2 import Log

_PREVIEW_CHARS: Final = 500
_PLACEHOLDER: Final = re.compile(r"\[([A-Z0-9_]{2,24})\]")
_COLORS: Final = {"success": "green", "error": "red", "cancelled": "orange"}
_MIDDLE: Final = 0.5
_ALSO_REPORTED_BY: Final = "also_reported_by"
"""Key of the metadata in which the server names the other instrumentations of a call."""
_NEARBY: Final = timedelta(minutes=10)
_LONG_BEFORE: Final = timedelta(days=1)
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Call": (
        "log_id", "provider", "model", "response_model", "operation", "outcome", "finish_reason", "streamed",
        "retry_count", "service_tier", "server_address", "provider_request_id", "provider_response_id",
    ),
    "Times": (
        "start_time", "first_token_time", "end_time", "receive_time", "latency", "time_to_first_token",
    ),
    "Usage": (
        "input_token_count", "output_token_count", "total_token_count", "cache_read_token_count",
        "cache_write_token_count", "cache_write_1h_token_count", "reasoning_token_count",
        "audio_input_token_count", "audio_output_token_count", "usage_source", "cost_nano_usd",
        "reported_cost_nano_usd", "price_version",
    ),
    "Context": (
        "session_id", "conversation_id", "user_id", "trace_id", "span_id", "parent_span_id", "environment",
        "release", "tags", "source",
    ),
    "Error": ("error_code", "http_status", "error_message"),
}  # fmt: skip


def show_badges(log: Log) -> None:
    """Show how the call ended and what it was."""
    outcome, sign = outcome_of(log)
    with st.container(horizontal=True, gap="xsmall"):
        st.badge(literal(f"{sign} {outcome}"), color=_COLORS[outcome])  # type: ignore[arg-type] # one of its colours
        for text in (log.provider, log.model, log.operation, log.environment, log.release, *log.tags):
            if text:
                st.badge(literal(text), color="gray")
        if log.streamed:
            st.badge("streamed", color="gray")


def show_numbers(answer: GetLogResponse) -> None:
    """Show the numbers of the call, its timing bar, and how it compares with others."""
    log = answer.log
    show_facts([
        ("Latency", fmt.duration(_latency(log))),
        ("First token", fmt.duration(_first_token(log))),
        ("Tokens in → out", _tokens(log)),
        ("Cost", fmt.money(log.cost_nano_usd) if log.HasField("cost_nano_usd") else "no price known"),
        ("Began", fmt.exact_time(fmt.timestamp(log.start_time), clock.viewer_zone())),
    ])  # fmt: skip
    _show_timing(log)
    if answer.HasField("rank"):
        st.caption(literal(describe_rank(answer.rank, log)))
    if log.source:
        st.caption(literal(describe_source(log)))


def describe_source(log: Log) -> str:
    """Return which instrumentation reported a call, and which others did as well."""
    others = log.metadata.get(_ALSO_REPORTED_BY, "")
    return f"Reported by {log.source}" + (f", also by {others}: one call, counted once." if others else ".")


def describe_rank(rank: LogRank, log: Log) -> str:
    """Return how a call compares with the others of its kind on its day."""
    share, word = rank.faster_share, "Slower"
    if share < _MIDDLE:
        share, word = 1 - share, "Faster"
    others = f"{fmt.exact(rank.compared_count)} calls to {log.model}"
    first = ""
    if rank.HasField("faster_first_token_share"):
        first = f"; its first token came later than that of {fmt.percent(rank.faster_first_token_share)}"
    return f"{word} than {fmt.percent(share)} of {others} that day (UTC){first}."


def _latency(log: Log) -> float | None:
    return fmt.seconds(log.latency) if log.HasField("latency") else None


def _first_token(log: Log) -> float | None:
    return fmt.seconds(log.time_to_first_token) if log.HasField("time_to_first_token") else None


def _tokens(log: Log) -> str:
    counts = [
        fmt.exact(getattr(log, field)) if log.HasField(field) else fmt.NOTHING
        for field in ("input_token_count", "output_token_count")
    ]
    about = "about " if log.usage_source == USAGE_SOURCE_ESTIMATED else ""
    return f"{about}{counts[0]} → {counts[1]}"


def tokens_per_second(log: Log) -> float | None:
    """Return how fast the answer came, from its first token to its end."""
    latency, first = _latency(log), _first_token(log) or 0.0
    if latency is None or latency <= first or not log.output_token_count:
        return None
    return log.output_token_count / (latency - first)


def _show_timing(log: Log) -> None:
    """Show a bar from start over first token to end."""
    latency, first = _latency(log), _first_token(log)
    if not latency:
        return
    colours, (outcome, _) = palette(), outcome_of(log)
    colour = colours.p95 if outcome == "success" else outcome_colour(outcome, colours)
    share = min(100.0, (first or 0) / latency * 100)
    speed = tokens_per_second(log)
    words = [
        f"first token after {fmt.duration(first)}" if first is not None else "",
        f"{speed:,.0f} tokens/s" if speed is not None else "",
        fmt.duration(latency),
    ]
    first_words, speed_words, whole = words
    st.html(
        "<div class='timing' role='img' "
        f"aria-label='{html_text(', '.join(filter(None, words)))}'>"
        "<div style='background:linear-gradient(to right, "
        f"{html_text(colour)}55 {share:.2f}%, {html_text(colour)} {share:.2f}%)'></div>"
        f"<p style='color:{html_text(colours.muted)}'><span>{html_text(first_words)}</span>"
        f"<span>{html_text(speed_words)}</span><span>{html_text(whole)}</span></p></div>"
    )


def show_call(log: Log) -> None:
    """Show the error, and what was asked and answered."""
    if log.error_code or log.error_message:
        status = f"HTTP {log.http_status}" if log.HasField("http_status") else ""
        reason = " · ".join(part for part in (log.error_code, status) if part)
        st.error(
            f"{literal(log.error_message or 'The call failed.')} {small(reason)}", icon=":material/error:"
        )
    if not (log.input_preview or log.output_preview):
        st.info(
            "No text is kept of this call: the application sends none "
            "(`LLM_OBSERVE_CAPTURE_CONTENT=false`), or there was none.",
            icon=":material/visibility_off:",
        )
        return
    for title, text in (("Prompt", log.input_preview), ("Answer", log.output_preview)):
        _show_preview(title, text)


def _show_preview(title: str, text: str) -> None:
    redacted = Counter(_PLACEHOLDER.findall(text))
    cut = f"first {_PREVIEW_CHARS} characters, " if len(text) >= _PREVIEW_CHARS else ""
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.markdown(f"**{literal(title)}** {small(f'{cut}as stored, redacted')}", width="content")
        for kind, count in redacted.items():
            words = f"{count} x {kind.lower().replace('_', ' ')}" if count > 1 else kind.lower()
            st.badge(literal(words), icon=":material/shield:", color="violet")
    st.code(text or "(nothing)", language=None, wrap_lines=True)


def show_fields(log: Log) -> None:
    """Show every field that is set, in groups, and all of it as JSON."""
    for title, names in _GROUPS.items():
        _show_group(title, [(name, _field(log, name)) for name in names])
    _show_group("Metadata", sorted(log.metadata.items()))
    with st.expander("As JSON", icon=":material/data_object:"):
        text = MessageToJson(log, preserving_proto_field_name=True, ensure_ascii=False)
        st.code(text, language="json", wrap_lines=True)


def _show_group(title: str, fields: Iterable[tuple[str, str]]) -> None:
    rows = [(name, value) for name, value in fields if value]
    if rows:
        st.markdown(safe_table(title, rows))


def _field(log: Log, name: str) -> str:
    """Return a field in words; empty where it is not set."""
    field = log.DESCRIPTOR.fields_by_name[name]
    if field.has_presence and name not in {known.name for known, _ in log.ListFields()}:
        return ""
    value = getattr(log, name)
    written = next((write for suffix, write in _WRITTEN.items() if name.endswith(suffix)), str)
    return written(value)


def _milliseconds(value: Duration) -> str:
    return f"{fmt.seconds(value) * 1000:,.3f} ms"


def _time(value: Timestamp) -> str:
    return fmt.exact_time(fmt.timestamp(value), clock.viewer_zone())


_WRITTEN: Final[Mapping[str, Callable[..., str]]] = {
    "_time": _time,
    "latency": _milliseconds,
    "time_to_first_token": _milliseconds,
    "_nano_usd": fmt.money,
    "_count": fmt.exact,
    "outcome": lambda value: Outcome.Name(value).removeprefix("OUTCOME_").lower(),
    "usage_source": lambda value: UsageSource.Name(value).removeprefix("USAGE_SOURCE_").lower(),
    "tags": ", ".join,
    "streamed": lambda value: "yes" if value else "no",
}
"""How a field is written, by the end of its name."""


# -- links -------------------------------------------------------------------------------------------------


def show_links(log: Log, view: View, *, with_trace: bool = True) -> None:
    """Show the ways on from a call: to what it was part of, and to others like it."""
    day = View(_window_with(log, view))
    with st.container(horizontal=True, gap="small", key="log_links"):
        if log.conversation_id:
            page = "conversations" if "conversations" in registered() else "chat"
            page_link("Conversation", page, icon=":material/forum:", conversation=log.conversation_id)
        for label, icon, key, value in (
            ("Session", "linear_scale", "session", log.session_id),
            ("User", "person", "user", log.user_id),
            ("Same error", "error", "code", log.error_code),
        ):
            if value:
                page_link(label, "logs", day.filtered(key, value), icon=f":material/{icon}:")
        page_link(
            "Same model ±10 min", "logs", _nearby(log), icon=":material/schedule:",
            hint="Calls to this model around the time of this one",
        )  # fmt: skip
        if with_trace and (log.trace_id or log.session_id):
            page_link(
                "Trace page", "trace", icon=":material/account_tree:", log=log.log_id,
                trace=log.trace_id, session="" if log.trace_id else log.session_id,
            )  # fmt: skip
        page_link(
            "Open in Chat", "chat", icon=":material/chat:", provider=log.provider, model=log.model
        )  # fmt: skip


def _window_with(log: Log, view: View) -> Window:
    """Return the window of the view if the call is in it; else the two days around the call."""
    start = fmt.timestamp(log.start_time)
    bounds = view.window.bounds(clock.now())
    if bounds.start <= start < bounds.end:
        return view.window
    return Window.between(start - _LONG_BEFORE, start + _LONG_BEFORE)


def _nearby(log: Log) -> View:
    start = fmt.timestamp(log.start_time)
    window = Window.between(start - _NEARBY, start + _NEARBY)
    return View(window, Filters(provider=(log.provider,), model=(log.model,)))
