"""OpenAI's Responses: complete, streamed, and in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe._call import CANCELLED
from llm_observe._guard import attempt
from llm_observe._providers.errors import read_error_body
from llm_observe._providers.fields import model_of
from llm_observe._providers.ids import note_ids
from llm_observe._providers.usage import read_openai
from llm_observe._values import to_text

if TYPE_CHECKING:
    from llm_observe._call import Call
    from llm_observe._vendor import VendorObject

_TEXT_EVENTS: Final = frozenset({"response.output_text.delta", "response.refusal.delta"})
_TOOL_EVENTS: Final = frozenset(
    {"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"}
)
_LAST_EVENTS: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}
)
_RUNNING: Final = frozenset({"queued", "in_progress"})


def read_response(response: VendorObject, call: Call) -> None:
    """Record text, usage and status of a Response."""
    attempt("read_ids", note_ids, response, call)
    attempt("read_usage", _read_usage, response, call)
    if not attempt("read_status", _read_status, response, call):
        call.needs_end = False  # whether the answer is complete is not known
    if not call.output_chunks:
        attempt("read_output", _read_output, response, call)


def _read_usage(response: VendorObject, call: Call) -> None:
    if getattr(response, "usage", None) is not None:
        read_openai(response.usage, call)


def _read_status(response: VendorObject, call: Call) -> None:
    """Record whether and how a Response ended."""
    status = getattr(response, "status", None)
    reason = getattr(getattr(response, "incomplete_details", None), "reason", None)
    call.finish_reason = reason or status or ""
    call.end_seen = status not in _RUNNING
    if not call.end_seen:
        call.background_id = to_text(response.id)
    if status == "cancelled":
        call.outcome = CANCELLED
    error = getattr(response, "error", None)
    if error or status == "failed":
        read_error_body(error, call)
    elif call.end_seen and call.background_id:  # an earlier error was one of its stream
        call.error_code = call.error_message = ""


def _read_output(response: VendorObject, call: Call) -> None:
    for item in response.output or ():
        attempt("read_item", _read_item, item, call)


def _read_item(item: VendorObject, call: Call) -> None:
    """Record the text of one item of a Response."""
    if getattr(item, "type", "") == "function_call":
        call.add_output(f"[tool call] {item.name} ")
        call.add_output(item.arguments)
    for part in getattr(item, "content", None) or ():
        texts = (getattr(part, name, None) for name in ("text", "refusal", "transcript"))
        call.add_output(next(filter(None, texts), None))


def read_event(event: VendorObject, call: Call) -> None:
    """Record an event of a Response's stream."""
    kind = event.type
    if kind in _TEXT_EVENTS or kind in _TOOL_EVENTS:
        call.note_first_token()
        call.add_output(event.delta)
    elif kind in _LAST_EVENTS:
        read_response(model_of(event.response), call)
    elif kind == "response.created":
        _begin(model_of(event.response), call)
    elif kind == "error":
        read_error_body(event, call)


def _begin(response: VendorObject, call: Call) -> None:
    """Record the first event of a stream, also of one that the application resumes from its start."""
    note_ids(response, call)
    if getattr(response, "background", None):
        call.background_id = to_text(response.id)
    call.restart_output()
