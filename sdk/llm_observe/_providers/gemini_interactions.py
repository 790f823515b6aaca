"""Gemini's interactions and decisions, read from the bytes of requests and answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llm_observe._background import find_call
from llm_observe._call import CANCELLED, Call
from llm_observe._guard import attempt
from llm_observe._providers.errors import read_error_body
from llm_observe._providers.fields import fields_of, parse_json_object, to_plain_json
from llm_observe._providers.gemini import last_user_text, read_error
from llm_observe._providers.usage import read_interaction
from llm_observe._runtime import submit
from llm_observe._values import to_text

if TYPE_CHECKING:
    from llm_observe._vendor import VendorObject

__all__ = ["describe", "read_chunk", "read_error", "read_response"]

_OPERATIONS: Final = {"createinteraction": "chat", "createdecision": "decision"}
_POLLS: Final = frozenset({"getinteractionbyid", "cancelinteractionbyid"})
"""Requests by their operation id in lower case: the client writes them in several ways."""
_ID: Final = re.compile(r"/interactions/([^/?]+)")
_BACKGROUND: Final = "background"
_RUNNING: Final = frozenset({"queued", "in_progress"})


def describe(operation_id: str, request: VendorObject) -> Call | None:
    """Begin the Call of an HTTP request, find that of a background interaction, or return None."""
    operation_id = operation_id.lower()
    if operation_id in _POLLS:
        match = _ID.search(str(request.url))
        return find_call(match.group(1)) if match else None
    operation = _OPERATIONS.get(operation_id)
    body = parse_json_object(request.content) if operation is not None else None
    if operation is None or body is None:
        return None
    agent = body.agent
    call = Call("gemini", "invoke_agent" if agent else operation, body.model or agent or "", submit)
    call.streamed = body.stream is True
    call.needs_end = operation != "decision"
    call.kind = _BACKGROUND if body.background is True else ""
    attempt("describe", _note_input, body, call)
    return call


def _note_input(body: VendorObject, call: Call) -> None:
    """Keep the user's newest text, from a text, a list of parts, or a list of turns or steps."""
    given = to_plain_json(body.input)
    for step in reversed(given if isinstance(given, list) else [given]):
        fields = fields_of(step)
        if fields.get("type") in {None, "text", "user_input"}:
            content = fields.get("content", step)
            parts = content if isinstance(content, list) else [content]
            if texts := last_user_text(
                [{"role": fields.get("role"), "parts": [_to_part(part) for part in parts]}]
            ):
                call.keep_input(texts)
                return


def _to_part(part: object) -> object:
    return {"text": part} if isinstance(part, str) else part


def read_response(answer: VendorObject, call: Call) -> None:
    """Record an interaction, or the answers of a decision."""
    fields = fields_of(answer)
    if fields.get("error"):
        read_error_body(fields["error"], call)
        return
    call.response_model = to_text(fields.get("model")) or call.response_model
    call.provider_response_id = to_text(fields.get("id")) or call.provider_response_id
    call.service_tier = to_text(fields.get("service_tier")) or call.service_tier
    attempt("read_usage", read_interaction, fields.get("usage"), call)
    if "status" in fields:
        _read_status(to_text(fields["status"]), fields.get("errors"), call)
    if not call.output_chunks:
        for step in (fields.get("outputs") or []) + (fields.get("steps") or []):
            attempt("read_step", _read_step, step, call)


def _read_status(status: str, errors: VendorObject, call: Call) -> None:
    call.finish_reason = status
    call.end_seen = status not in _RUNNING
    if not call.end_seen:
        call.background_id = call.provider_response_id
    elif status == "cancelled":
        call.outcome = CANCELLED
    elif status == "failed":
        read_error_body(errors[0] if errors else None, call)


def _read_step(step: VendorObject, call: Call) -> None:
    if step.type == "text":
        call.add_output(step.text)
    elif step.type == "function_call":
        call.add_output(f"[tool call] {step.name} ")
        call.add_output(to_plain_json(step.arguments))
    elif step.type == "model_output":
        for part in step.content or ():
            call.add_output(part.text)


def read_chunk(event: VendorObject, call: Call) -> bool:
    """Record an event of a stream; none carries nothing but usage."""
    kind = to_text(event.event_type)
    if kind.endswith(".delta"):
        _read_delta(event.delta, call)
    elif kind == "step.start" and fields_of(event.step).get("type") == "function_call":
        call.note_first_token()
        call.add_output(f"[tool call] {event.step.name} ")
    elif kind == "error":
        read_error_body(event.error, call)
    elif event.interaction is not None:
        read_response(event.interaction, call)
        if kind == "interaction.created" and call.kind != _BACKGROUND:
            call.background_id = ""  # if its stream breaks off, nobody will ask for it
    return False


def _read_delta(delta: VendorObject, call: Call) -> None:
    call.note_first_token()
    if delta.type == "text":
        call.add_output(delta.text)
    elif delta.type == "arguments_delta":
        call.add_output(delta.arguments)
