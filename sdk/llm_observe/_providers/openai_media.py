"""OpenAI's images, audio, moderations and decisions; and jobs: videos and runs of assistants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe._call import CANCELLED
from llm_observe._guard import attempt
from llm_observe._providers.errors import read_error_body
from llm_observe._providers.fields import attribute, fields_of
from llm_observe._providers.usage import read_openai
from llm_observe._values import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_observe._call import Call
    from llm_observe._vendor import VendorObject

_RUNNING: Final = frozenset({"queued", "in_progress", "requires_action", "cancelling"})
_ENDED_WELL: Final = frozenset({"completed", "incomplete", "succeeded"})


def read_media(answer: VendorObject, call: Call) -> None:
    """Record usage and text of an answer that is complete."""
    fields = fields_of(answer)
    _note_fields(fields, call)
    call.end_seen = True
    attempt("read_text", call.add_output, fields.get("text"))


def read_job(answer: VendorObject, call: Call) -> None:
    """Record how far a job is, and how it ended."""
    fields = fields_of(answer)
    _note_fields(fields, call)
    status = to_text(fields.get("status"))
    call.finish_reason = status
    if status in _RUNNING:
        call.background_id = to_text(fields.get("id"))
        return
    call.end_seen = True
    if status == "cancelled":
        call.outcome = CANCELLED
    elif status not in _ENDED_WELL and not call.error_code:
        error = fields.get("last_error") or fields.get("error")
        read_error_body(error if error is not None else {"code": status}, call)


def _note_fields(fields: Mapping[str, VendorObject], call: Call) -> None:
    call.response_model = fields.get("model") or call.response_model
    call.provider_response_id = fields.get("id") or call.provider_response_id
    call.provider_request_id = fields.get("_request_id") or call.provider_request_id
    call.service_tier = fields.get("service_tier") or call.service_tier
    usage = fields.get("usage")
    if usage is not None:
        attempt("read_usage", read_openai, usage, call)
    error = fields.get("error")
    if error:
        read_error_body(error, call)


def read_media_event(event: VendorObject, call: Call) -> None:
    """Record an event of a streamed image, transcript or speech."""
    fields = fields_of(event)
    kind = to_text(fields.get("type"))
    if kind == "error":
        read_error_body(fields.get("error") or event, call)
    elif kind.endswith((".done", ".completed")):
        _note_fields(fields, call)
        call.end_seen = True
        if not call.output_chunks:
            call.add_output(fields.get("text"))
    else:
        call.note_first_token()
        if kind == "transcript.text.delta":
            call.add_output(fields.get("delta"))


def read_job_event(event: VendorObject, call: Call) -> None:
    """Record an event of a run: the client gives it a name, its bytes are the run or a part of a message."""
    data = attribute(event, "data") or event
    fields = fields_of(data)
    kind = fields.get("object")
    if kind == "thread.run":
        read_job(data, call)
    elif kind == "thread.message.delta":
        call.note_first_token()
        for part in fields_of(fields.get("delta")).get("content") or ():
            call.add_output(attribute(attribute(part, "text"), "value"))
    elif attribute(event, "event") == "error" or fields.get("error"):
        read_error_body(fields.get("error") or data, call)
        call.background_id = ""  # a run whose stream fails is not asked for again
