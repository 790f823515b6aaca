"""Gemini (google-genai): generate_content, its stream, and embed_content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_observe._call import Call
from llm_observe._extensions import candidate_text
from llm_observe._guard import attempt
from llm_observe._providers.errors import note_failure, read_error_body
from llm_observe._providers.fields import attribute
from llm_observe._providers.usage import read_gemini, read_gemini_embeddings
from llm_observe._providers.usual_answers import read_generation
from llm_observe._values import to_http_status, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._vendor import VendorObject


def describe(
    operation: str, options: dict[str, object], *, stream: bool, sink: Callable[[Call], None]
) -> Call:
    """Begin the Call of a request; ``options`` are its keyword arguments."""
    call = Call("gemini", operation, options.get("model"), sink)
    call.model = call.model.removeprefix("models/")
    call.streamed = stream
    call.needs_end = operation == "chat"
    call.text_of, call.read_last = candidate_text, _read_numbers
    attempt("describe", _note_input, options, call)
    return call


def _note_input(options: dict[str, object], call: Call) -> None:
    prompt = options.get("contents", options.get("prompt"))
    call.keep_input(last_user_text(_of(options.get("source"), "prompt") if prompt is None else prompt))


def last_user_text(contents: object) -> tuple[str, ...]:
    """Return references to the user's newest text; images and files are omitted."""
    if isinstance(contents, str):
        return (contents,)
    listed = contents if isinstance(contents, list | tuple) else [contents]
    for entry in reversed(listed):
        if isinstance(entry, str):
            return (entry,)
        if _of(entry, "role") in {None, "user"}:
            parts = _of(entry, "parts")
            texts = [_of(part, "text") for part in (parts if parts is not None else [entry])]
            if user_texts := tuple(text for text in texts if isinstance(text, str)):
                return user_texts
    return ()


def _of(entry: VendorObject, name: str) -> VendorObject:
    return entry.get(name) if isinstance(entry, dict) else getattr(entry, name, None)


def base_url_of(options: dict[str, object]) -> VendorObject:
    """Return the base URL that a request names for itself, or None."""
    config = options.get("config")
    http_options = _of(config, "http_options") if config is not None else None
    return _of(http_options, "base_url") if http_options is not None else None


def read_response(response: VendorObject, call: Call) -> None:
    """Record text, usage and finish reason of an answer, complete or a chunk of a stream."""
    if call.operation == "video_generation":
        read_operation(response, call)
        return
    if not call.streamed and read_generation(response, call):
        return
    _read_numbers(response, call)
    if not attempt("read_content", _read_content, response, call):
        call.needs_end = False  # whether the answer is complete is not known


def read_operation(operation: VendorObject, call: Call) -> None:
    """Record how far a long-running operation is: the application asks for it until it is done."""
    call.end_seen = bool(operation.done)
    if not call.end_seen:
        call.background_id = to_text(operation.name)
    elif operation.error:
        read_error_body(operation.error, call)


def _read_content(response: VendorObject, call: Call) -> None:
    candidates = getattr(response, "candidates", None)
    if candidates:  # only the first: the texts of several would run together
        call.end_seen = call.end_seen or not call.streamed
        content = candidates[0].content
        for part in (content.parts if content is not None else None) or ():
            attempt("read_part", _read_part, part, call)


def _read_numbers(response: VendorObject, call: Call) -> None:
    """Record what every chunk repeats, so that reading the last one is enough."""
    call.response_model = getattr(response, "model_version", None) or call.response_model
    call.provider_response_id = getattr(response, "response_id", None) or call.provider_response_id
    attempt("read_usage", _read_usage, response, call)
    if not attempt("read_reason", _read_reason, response, call):
        call.needs_end = False


def _read_reason(response: VendorObject, call: Call) -> None:
    candidates = getattr(response, "candidates", None)
    if candidates:
        _note_reason(candidates[0].finish_reason, call)
    else:
        _note_reason(getattr(getattr(response, "prompt_feedback", None), "block_reason", None), call)


def _note_reason(reason: VendorObject, call: Call) -> None:
    if reason is not None:
        call.end_seen = True
        call.finish_reason = str(getattr(reason, "value", reason))


def _read_part(part: VendorObject, call: Call) -> None:
    if part.text and not part.thought:
        call.add_output(part.text)
    elif part.function_call is not None:
        call.add_output(f"[tool call] {part.function_call.name} ")
        call.add_output(part.function_call.args)


def read_chunk(chunk: VendorObject, call: Call) -> bool:
    """Record a chunk."""
    call.read_last_chunk()
    before = call.output_chars
    read_response(chunk, call)
    if call.output_chars > before:
        call.note_first_token()
    return False


def _read_usage(response: VendorObject, call: Call) -> None:
    usage = getattr(response, "usage_metadata", None)
    if usage is not None:
        read_gemini(usage, call)
    if call.operation == "embeddings":
        attempt("read_embeddings", read_gemini_embeddings, response.embeddings, call)


def read_error(error: BaseException, call: Call) -> None:
    """Record the status and HTTP code of a google-genai error."""
    note_failure(call, error, code=attribute(error, "status"))
    call.http_status = to_http_status(attribute(error, "code"))
