"""Gemini (google-genai): generate_content, its stream, and embed_content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe._call import Call
from llm_observe._guard import attempt
from llm_observe._providers.errors import attribute, note_failure
from llm_observe._values import to_http_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._vendor import VendorObject


_TIERS: Final = {"on_demand": "default", "traffic_type_unspecified": ""}


def describe(
    operation: str, options: dict[str, object], *, stream: bool, sink: Callable[[Call], None]
) -> Call:
    """Begin the Call of a request; ``options`` are its keyword arguments."""
    call = Call("gemini", operation, options.get("model"), sink)
    call.model = call.model.removeprefix("models/")
    call.streamed = stream
    attempt("describe", _note_input, options, call)
    return call


def _note_input(options: dict[str, object], call: Call) -> None:
    call.input_text = _last_user_text(options.get("contents"))


def _last_user_text(contents: object) -> tuple[str, ...]:
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
    """Record text, usage and finish reason of a GenerateContentResponse, complete or a chunk of a stream."""
    _read_numbers(response, call)
    attempt("read_content", _read_content, response, call)


def _read_content(response: VendorObject, call: Call) -> None:
    candidates = getattr(response, "candidates", None)
    if candidates:  # only the first: the texts of several would run together
        content = candidates[0].content
        for part in (content.parts if content is not None else None) or ():
            attempt("read_part", _read_part, part, call)


def _read_numbers(response: VendorObject, call: Call) -> None:
    """Record what every chunk repeats, so that reading the last one is enough."""
    call.response_model = getattr(response, "model_version", None) or call.response_model
    call.provider_response_id = getattr(response, "response_id", None) or call.provider_response_id
    attempt("read_usage", _read_usage, response, call)
    attempt("read_reason", _read_reason, response, call)


def _read_reason(response: VendorObject, call: Call) -> None:
    candidates = getattr(response, "candidates", None)
    if candidates:
        _note_reason(candidates[0].finish_reason, call)
    else:
        _note_reason(getattr(getattr(response, "prompt_feedback", None), "block_reason", None), call)


def _note_reason(reason: VendorObject, call: Call) -> None:
    if reason is not None:
        call.finish_reason = str(getattr(reason, "value", reason))


def _read_part(part: VendorObject, call: Call) -> None:
    if part.text and not part.thought:
        call.add_output(part.text)
    elif part.function_call is not None:
        call.add_output(f"[tool call] {part.function_call.name} ")
        call.add_output(part.function_call.args)


def read_chunk(chunk: VendorObject, call: Call) -> bool:
    """Record a chunk: its text at once, the numbers of the last chunk when the stream ends."""
    if call.ttft_ns is not None:
        try:
            (part,) = chunk.candidates[0].content.parts
            if (text := part.text) and not part.thought:
                call.add_output(text)
                call.last_chunk = chunk
                return False
        except (AttributeError, IndexError, TypeError, ValueError):
            pass  # a chunk of another shape is read in full
    before = call.output_chars
    read_response(chunk, call)
    if call.output_chars > before:
        call.note_first_token()
    call.last_chunk, call.read_last = None, _read_numbers
    return False


def _read_usage(response: VendorObject, call: Call) -> None:
    """Record usage. Gemini counts thoughts and tool prompts separately; our counts include them."""
    usage = getattr(response, "usage_metadata", None)
    if usage is None or usage.prompt_token_count is None:
        return
    call.input_tokens = usage.prompt_token_count + (usage.tool_use_prompt_token_count or 0)
    call.cache_read_tokens = usage.cached_content_token_count
    call.reasoning_tokens = usage.thoughts_token_count
    if usage.candidates_token_count is not None or usage.thoughts_token_count is not None:
        call.output_tokens = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
    call.total_tokens = usage.total_token_count
    attempt("read_kinds", _read_kinds, usage.__dict__, call)


def _read_kinds(usage: dict[str, VendorObject], call: Call) -> None:
    """Record what decides the price of the tokens: how the request was served, and how many are audio."""
    traffic = usage.get("traffic_type")
    if traffic is not None:
        call.service_tier = _tier_of(str(getattr(traffic, "value", traffic)).lower())
    call.audio_input_tokens = _audio_of(
        usage.get("prompt_tokens_details"), usage.get("tool_use_prompt_tokens_details")
    )
    call.audio_output_tokens = _audio_of(usage.get("candidates_tokens_details"))


def _tier_of(traffic_type: str) -> str:
    """Return Vertex AI's traffic type in the words of other providers: on_demand_flex is ``flex``."""
    return _TIERS.get(traffic_type, traffic_type.removeprefix("on_demand_"))


def _audio_of(*breakdowns: VendorObject) -> int | None:
    """Return how many tokens the breakdowns by modality count as audio; None where there are none."""
    if not any(breakdowns):
        return None
    entries = [entry for breakdown in breakdowns for entry in breakdown or ()]
    return sum(entry.token_count or 0 for entry in entries if entry.modality == "AUDIO")


def read_error(error: BaseException, call: Call) -> None:
    """Record the status and HTTP code of a google-genai error."""
    note_failure(call, error, code=attribute(error, "status"))
    call.http_status = to_http_status(attribute(error, "code"))
