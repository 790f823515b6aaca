"""Reads answers of the shape that nearly all have: one text, whole or in chunks, and its usage.

One function does here what twenty of a vendor's readers do: when a call ends, the code of each of them has
left the processor's caches. Where there is more to read, it returns False (None for a chunk) and has recorded
nothing; the vendor's readers then read everything. ``test_usual_answers.py`` keeps the two in step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe._guard import attempt
from llm_observe._providers.usage import read_kinds
from llm_observe.limits import MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_observe._call import Call
    from llm_observe._vendor import VendorObject

_NO_DETAILS: Final[Mapping[str, VendorObject]] = dict.fromkeys(
    (
        "cached_tokens", "audio_tokens", "reasoning_tokens", "ephemeral_1h_input_tokens",
        "ephemeral_5m_input_tokens",
    )
)  # fmt: skip
"""Stands for details of the usage that are left out."""
_REASONS: Final = frozenset({"stop", "length", "end_turn", "max_tokens", "stop_sequence"})
"""The finish reasons of OpenAI and Anthropic for an answer that is one text."""
_INTEGERS: Final = {int}
_NO_COUNTS: Final = (None,) * 8
"""The counts of a call whose usage has not been read."""


def read_completion(answer: VendorObject, call: Call) -> bool:
    """Read OpenAI's chat completion."""
    try:
        fields = answer.__dict__
        (choice,) = fields["choices"]
        choice_fields = choice.__dict__
        message, reason = choice_fields["message"].__dict__, choice_fields["finish_reason"]
        text = message["content"]
        if (
            type(text) is not str
            or not text
            or reason not in _REASONS
            or message["tool_calls"]
            or answer.__pydantic_extra__
            or choice.__pydantic_extra__
            or not _read_completion_usage(fields["usage"], call)
        ):
            return False
    except Exception:  # noqa: BLE001 - an answer of another shape
        return False
    call.response_model, call.provider_response_id = fields.get("model") or "", fields.get("id") or ""
    call.provider_request_id = fields.get("_request_id") or call.provider_request_id
    call.service_tier = fields.get("service_tier") or ""
    call.finish_reason, call.end_seen = reason, True
    call.add_output(text)
    return True


def _read_completion_usage(usage: VendorObject, call: Call) -> bool:
    counts = usage.__dict__
    prompt, completion = counts["prompt_tokens_details"], counts["completion_tokens_details"]
    if usage.__pydantic_extra__ or (prompt is not None and prompt.__pydantic_extra__):
        return False
    prompt_counts = _NO_DETAILS if prompt is None else prompt.__dict__
    completion_counts = _NO_DETAILS if completion is None else completion.__dict__
    cached, audio_in = prompt_counts["cached_tokens"], prompt_counts["audio_tokens"]
    reasoning, audio_out = completion_counts["reasoning_tokens"], completion_counts["audio_tokens"]
    call.input_tokens, call.output_tokens = counts["prompt_tokens"], counts["completion_tokens"]
    call.total_tokens = counts.get("total_tokens")
    call.cache_read_tokens, call.cache_write_tokens = cached, prompt_counts.get("cache_write_tokens")
    call.audio_input_tokens, call.audio_output_tokens, call.reasoning_tokens = audio_in, audio_out, reasoning
    return True


def _counts_of(call: Call) -> tuple[int | None, ...]:
    return (
        call.input_tokens, call.output_tokens, call.total_tokens, call.cache_read_tokens,
        call.cache_write_tokens, call.audio_input_tokens, call.audio_output_tokens, call.reasoning_tokens,
    )  # fmt: skip


def read_completion_chunk(chunk: VendorObject, call: Call) -> bool | None:
    """Read a chunk of OpenAI's chat completion; return whether it has nothing but usage."""
    try:
        fields = chunk.__dict__
        choices, usage = fields["choices"], fields["usage"]
        if chunk.__pydantic_extra__ or not call.response_model:
            return None
        if not choices:
            if (
                choices is None
                or fields.get("moderation")
                or _counts_of(call) != _NO_COUNTS  # counts that this usage does not repeat are kept
                or not _read_completion_usage(usage, call)
            ):
                return None
            call.end_seen = True
            return True
        (choice,) = choices
        choice_fields, delta = choice.__dict__, choice.__dict__["delta"].__dict__
        reason, text = choice_fields["finish_reason"], delta["content"]
        if (
            usage is not None
            or choice_fields["index"] != 0
            or choice.__pydantic_extra__
            or delta["tool_calls"]
            or delta["refusal"]
            or (reason is not None and reason not in _REASONS)
            or (text and type(text) is not str)
        ):
            return None
    except Exception:  # noqa: BLE001 - a chunk of another shape
        return None
    if text:
        call.note_first_token()
        call.add_output(text)
    if reason:
        call.finish_reason, call.end_seen = reason, True
    return False


def is_text_alone(chunk: VendorObject) -> bool:
    """Return whether a chunk of OpenAI's chat completion states neither usage nor a finish reason."""
    try:
        fields = chunk.__dict__
        (choice,) = fields["choices"]
        return (
            fields["usage"] is None
            and choice.__dict__["finish_reason"] is None
            and not (chunk.__pydantic_extra__ or choice.__pydantic_extra__)
        )
    except Exception:  # noqa: BLE001 - as above
        return False


def read_message(answer: VendorObject, call: Call) -> bool:
    """Read Anthropic's message. Its input tokens exclude cached ones."""
    try:
        fields = answer.__dict__
        (block,) = fields["content"]
        usage, block_fields, reason = fields["usage"], block.__dict__, fields["stop_reason"]
        counts, text = usage.__dict__, block_fields["text"]
        lifetimes, details = counts["cache_creation"], counts.get("output_tokens_details")
        read, written = counts["cache_read_input_tokens"], counts["cache_creation_input_tokens"]
        sizes = (counts["input_tokens"], counts["output_tokens"], read or 0, written or 0)
        lifetime_counts = _NO_DETAILS if lifetimes is None else lifetimes.__dict__
        hour = lifetime_counts["ephemeral_1h_input_tokens"]
        minutes = lifetime_counts["ephemeral_5m_input_tokens"]
        thinking = None if details is None else details.__dict__["thinking_tokens"]
        if (
            type(text) is not str
            or block_fields["type"] != "text"
            or reason not in _REASONS
            or answer.__pydantic_extra__
            or usage.__pydantic_extra__
            or counts.get("iterations") is not None
            or set(map(type, sizes)) != _INTEGERS
            or min(sizes) < 0
            or max(sizes) > MAX_COUNT
            or (lifetimes is not None and (hour < 0 or minutes < 0 or hour + minutes != written))
        ):
            return False
    except Exception:  # noqa: BLE001 - an answer of another shape
        return False
    call.output_tokens, call.cache_read_tokens, call.cache_write_tokens = sizes[1], read, written
    call.input_tokens, call.total_tokens = sum(sizes) - sizes[1], sum(sizes)
    call.cache_write_1h_tokens, call.reasoning_tokens = hour, thinking or None
    call.response_model, call.provider_response_id = fields.get("model") or "", fields.get("id") or ""
    call.provider_request_id = fields.get("_request_id") or call.provider_request_id
    if (tier := counts.get("service_tier")) is not None:
        call.service_tier = tier
    call.finish_reason, call.end_seen = reason, True
    call.add_output(text)
    return True


def read_generation(answer: VendorObject, call: Call) -> bool:
    """Read Gemini's answer. Its counts of prompt and answer exclude tools and thoughts."""
    try:
        fields = answer.__dict__
        (candidate,) = fields["candidates"]
        candidate_fields, counts = candidate.__dict__, fields["usage_metadata"].__dict__
        (part,) = candidate_fields["content"].__dict__["parts"]
        part_fields = part.__dict__
        reason = candidate_fields["finish_reason"]._value_  # not .value, which is a slow property
        prompt, answered = counts["prompt_token_count"], counts["candidates_token_count"]
        text, thoughts = part_fields["text"], counts["thoughts_token_count"]
        if (
            type(text) is not str
            or not text
            or part_fields["thought"]
            or type(reason) is not str
            or type(prompt) is not int
            or type(answered) is not int
            or counts["tool_use_prompt_token_count"] is not None
        ):
            return False
        output, total = answered + (thoughts or 0), counts["total_token_count"]
    except Exception:  # noqa: BLE001 - an answer of another shape
        return False
    call.input_tokens, call.output_tokens, call.total_tokens = prompt, output, total
    call.reasoning_tokens = thoughts
    call.cache_read_tokens = counts.get("cached_content_token_count")
    attempt("read_kinds", read_kinds, counts, call)
    call.response_model = fields.get("model_version") or ""
    call.provider_response_id = fields.get("response_id") or ""
    call.finish_reason, call.end_seen = reason, True
    call.add_output(text)
    return True
