"""Reads token counts: one reader for each vendor's dialect, used on every way an answer can come.

Our counts follow OpenTelemetry: input includes cached tokens, output includes reasoning. A count that a part
of an answer does not mention keeps its last known value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe._guard import attempt
from llm_observe._providers.fields import both_of, fields_of, undeclared_of
from llm_observe._values import to_count, to_nano_usd, to_text
from llm_observe.limits import MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llm_observe._call import Call
    from llm_observe._vendor import VendorObject

_ANTHROPIC_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
_COMPACTION: Final = "compaction "
"""Precedes the names of the counts of compaction passes; by itself it says that there are some."""
_ODD_COUNTS: Final = (
    ("prompt_cache_hit_tokens", "cache_read_tokens"),  # DeepSeek
    ("cached_tokens", "cache_read_tokens"),  # Together, Moonshot
    ("num_cached_tokens", "cache_read_tokens"),  # Mistral
    ("cache_read_input_tokens", "cache_read_tokens"),  # LiteLLM, as are those below
    ("cache_creation_input_tokens", "cache_write_tokens"),
    ("reasoning_tokens", "reasoning_tokens"),  # Perplexity
)
"""Counts that servers of OpenAI's dialect state beside the usual ones, and ours."""
_INPUT_DETAILS: Final = ("input_tokens_details", "input_token_details")
_OUTPUT_DETAILS: Final = ("output_tokens_details", "output_token_details")
"""Responses say the first of each, Realtime and transcription the second."""
_XAI_TICKS_PER_USD: Final = 10_000_000_000
_TIERS: Final = {"on_demand": "default", "traffic_type_unspecified": ""}


def read_openai(usage: VendorObject, call: Call) -> None:
    """Record the usage of OpenAI's dialect, of any endpoint and any server that speaks it."""
    fields, undeclared = both_of(usage)
    get = fields.get
    if undeclared:
        attempt("read_undeclared", _read_undeclared, undeclared, call)
    if (count := get("prompt_tokens", get("input_tokens"))) is not None:
        call.input_tokens = count
    if (count := get("total_tokens")) is not None:
        call.total_tokens = count
    if call.operation == "embeddings":
        return
    if (count := get("completion_tokens", get("output_tokens"))) is not None:
        call.output_tokens = count
    details = get("prompt_tokens_details") or _first(get, _INPUT_DETAILS)
    if details is not None:
        attempt("read_input_details", _read_openai_input, fields_of(details), call)
    details = get("completion_tokens_details") or _first(get, _OUTPUT_DETAILS)
    if details is not None:
        attempt("read_output_details", _read_openai_output, fields_of(details), call)


def _first(get: Callable[[str], VendorObject], names: tuple[str, ...]) -> VendorObject:
    return next((value for name in names if (value := get(name)) is not None), None)


def _read_undeclared(usage: Mapping[str, VendorObject], call: Call) -> None:
    """Record what other servers than OpenAI state: counts, and the price."""
    for name, attribute in _ODD_COUNTS:
        if (count := usage.get(name)) is not None:
            setattr(call, attribute, count)
    _read_cost(usage, call)


def _read_cost(usage: Mapping[str, VendorObject], call: Call) -> None:
    cost = _cost_of(usage)
    if cost is not None:
        call.reported_cost_nano_usd = cost


def _cost_of(usage: Mapping[str, VendorObject]) -> int | None:
    """Return the price that a server states, in 10^-9 US dollars; None if it states none."""
    if (ticks := usage.get("cost_in_usd_ticks")) is not None:
        return to_nano_usd(ticks, _XAI_TICKS_PER_USD)
    cost = usage.get("cost", usage.get("estimated_cost"))  # the latter is DeepInfra's
    if cost is not None and not isinstance(cost, int | float | str):
        cost = fields_of(cost).get("total_cost")  # Perplexity
    nano = to_nano_usd(cost)
    if nano is not None and usage.get("is_byok"):  # OpenRouter: a fee beside what the provider charges
        nano += to_nano_usd(fields_of(usage.get("cost_details")).get("upstream_inference_cost")) or 0
    return nano


def _read_openai_input(details: Mapping[str, VendorObject], call: Call) -> None:
    get = details.get
    if (count := get("cached_tokens")) is not None:
        call.cache_read_tokens = count
    if (
        count := get("cache_write_tokens", get("cache_creation_tokens"))
    ) is not None:  # the latter is LiteLLM's
        call.cache_write_tokens = count
    if (lifetimes := get("cache_creation_token_details")) is not None:
        call.cache_write_1h_tokens = fields_of(lifetimes).get("ephemeral_1h_input_tokens")
    if (count := get("audio_tokens")) is not None:
        call.audio_input_tokens = count


def _read_openai_output(details: Mapping[str, VendorObject], call: Call) -> None:
    if (count := details.get("reasoning_tokens")) is not None:
        call.reasoning_tokens = count
    if (count := details.get("audio_tokens")) is not None:
        call.audio_output_tokens = count


def read_anthropic(usage: VendorObject, call: Call) -> None:
    """Record the usage of a message or of an event of its stream.

    Anthropic's input tokens exclude cached ones. Its events repeat some of the counts, each a running total,
    so the largest of each is the latest.
    """
    fields = fields_of(usage)
    seen = call.usage_parts
    if seen is None:
        seen = call.usage_parts = {}
    for name in _ANTHROPIC_COUNTS:
        if (count := fields.get(name)) is not None:
            if type(count) is int and seen.get(name, 0) <= count <= MAX_COUNT:  # as _keep_largest()
                seen[name] = count
            else:
                _keep_largest(seen, name, count)
    if (iterations := fields.get("iterations")) is not None:
        attempt("read_iterations", _read_compactions, iterations, seen)
    if (lifetimes := fields.get("cache_creation")) is not None:
        attempt("read_lifetimes", _read_lifetimes, fields_of(lifetimes), seen)
    _add_up(seen, call)
    if (tier := fields.get("service_tier")) is not None:
        call.service_tier = tier
    if (details := fields.get("output_tokens_details")) is not None:
        call.reasoning_tokens = fields_of(details).get("thinking_tokens") or call.reasoning_tokens
    if undeclared := undeclared_of(usage):
        attempt("read_cost", _read_cost, undeclared, call)


def _keep_largest(seen: dict[str, int], name: str, value: object) -> None:
    count = to_count(value)
    if count is not None and count >= seen.get(name, 0):
        seen[name] = count


def _read_compactions(iterations: VendorObject, seen: dict[str, int]) -> None:
    """Record the tokens of compaction passes, which are billed but not in the totals."""
    seen[_COMPACTION] = 0
    passes = [fields_of(each) for each in iterations]
    for name in _ANTHROPIC_COUNTS:
        counts = (to_count(each.get(name)) for each in passes if each.get("type") == "compaction")
        _keep_largest(seen, _COMPACTION + name, sum(count or 0 for count in counts))


def _read_lifetimes(lifetimes: Mapping[str, VendorObject], seen: dict[str, int]) -> None:
    """Record cache writes by their lifetime; some answers state no total of them."""
    hour = to_count(lifetimes.get("ephemeral_1h_input_tokens"))
    minutes = to_count(lifetimes.get("ephemeral_5m_input_tokens"))
    _keep_largest(seen, "1h", hour)
    if hour is not None or minutes is not None:
        _keep_largest(seen, "cache_creation_input_tokens", (hour or 0) + (minutes or 0))


def _with_compactions(seen: dict[str, int], name: str) -> int | None:
    return seen[name] + seen.get(_COMPACTION + name, 0) if name in seen else None


def _add_up(seen: dict[str, int], call: Call) -> None:
    if _COMPACTION in seen:
        uncached, output, read, written = (_with_compactions(seen, name) for name in _ANTHROPIC_COUNTS)
    else:
        uncached, output, read, written = map(seen.get, _ANTHROPIC_COUNTS)
    call.output_tokens, call.cache_read_tokens, call.cache_write_tokens = output, read, written
    call.cache_write_1h_tokens = seen.get("1h")
    if uncached is not None:
        call.input_tokens = uncached + (read or 0) + (written or 0)
    if call.input_tokens is not None and output is not None:
        call.total_tokens = call.input_tokens + output


def read_gemini(usage: VendorObject, call: Call) -> None:
    """Record usage metadata. Gemini counts thoughts and tool prompts separately; our counts include them."""
    fields = fields_of(usage)
    get = fields.get
    prompt, tools = get("prompt_token_count"), get("tool_use_prompt_token_count")
    if prompt is not None:
        call.input_tokens = prompt + (tools or 0)
    answer, thoughts = get("candidates_token_count", get("response_token_count")), get("thoughts_token_count")
    if answer is not None or thoughts is not None:
        call.output_tokens = (answer or 0) + (thoughts or 0)
    if thoughts is not None:
        call.reasoning_tokens = thoughts
    if (cached := get("cached_content_token_count")) is not None:
        call.cache_read_tokens = cached
    if (total := get("total_token_count")) is not None:
        call.total_tokens = total
    attempt("read_kinds", read_kinds, fields, call)


def read_interaction(usage: VendorObject, call: Call) -> None:
    """Record the usage of an interaction. Thoughts and tool prompts are counted separately, as above."""
    get = fields_of(usage).get
    if (source := get("total_input_tokens")) is not None:
        call.input_tokens = source + (get("total_tool_use_tokens") or 0)
    answer, thoughts = get("total_output_tokens"), get("total_thought_tokens", get("total_reasoning_tokens"))
    if answer is not None or thoughts is not None:
        call.output_tokens = (answer or 0) + (thoughts or 0)
    if thoughts is not None:
        call.reasoning_tokens = thoughts
    if (cached := get("total_cached_tokens")) is not None:
        call.cache_read_tokens = cached
    if (total := get("total_tokens")) is not None:
        call.total_tokens = total
    call.audio_input_tokens = _sound_of(get("input_tokens_by_modality"), call.audio_input_tokens)
    call.audio_output_tokens = _sound_of(get("output_tokens_by_modality"), call.audio_output_tokens)


def _sound_of(breakdown: VendorObject, known: int | None) -> int | None:
    if not breakdown:
        return known
    entries = map(fields_of, breakdown)
    return sum(
        entry.get("tokens") or 0 for entry in entries if to_text(entry.get("modality")).lower() == "audio"
    )


def read_gemini_embeddings(embeddings: VendorObject, call: Call) -> None:
    """Record the tokens of embeddings, which Vertex AI counts for each."""
    counts = [to_count(getattr(each.statistics, "token_count", None)) for each in embeddings or ()]
    known = [count for count in counts if count is not None]
    if known and call.input_tokens is None:
        call.input_tokens = call.total_tokens = sum(known)


def read_kinds(usage: Mapping[str, VendorObject], call: Call) -> None:
    """Record what decides the price of the tokens: how the request was served, and how many are audio."""
    traffic = usage.get("traffic_type")
    if traffic is not None:
        call.service_tier = _tier_of(_word_of(traffic))
    if (tier := usage.get("service_tier")) is not None:
        call.service_tier = _word_of(tier).removeprefix("service_tier_")
    audio = _audio_of(usage.get("prompt_tokens_details"), usage.get("tool_use_prompt_tokens_details"))
    call.audio_input_tokens = call.audio_input_tokens if audio is None else audio
    audio = _audio_of(usage.get("candidates_tokens_details"), usage.get("response_tokens_details"))
    call.audio_output_tokens = call.audio_output_tokens if audio is None else audio


def _word_of(value: VendorObject) -> str:
    return to_text(value).lower()


def _tier_of(traffic_type: str) -> str:
    """Return Vertex AI's traffic type in the words of other providers: on_demand_flex is ``flex``."""
    return _TIERS.get(traffic_type, traffic_type.removeprefix("on_demand_"))


def _audio_of(*breakdowns: VendorObject) -> int | None:
    """Return how many tokens the breakdowns by modality count as audio; None where there are none."""
    if not any(breakdowns):
        return None
    entries = [entry for breakdown in breakdowns for entry in breakdown or ()]
    return sum(entry.token_count or 0 for entry in entries if entry.modality == "AUDIO")


def reconcile(counts: dict[str, int | None]) -> None:
    """Make counts agree, in place: input includes cached tokens, output includes reasoning, total both.

    Some servers count otherwise. What exceeds the whole cannot be a part of it, so it was counted apart.
    """
    source, answer, total = counts["input_tokens"], counts["output_tokens"], counts["total_tokens"]
    read, written = counts["cache_read_tokens"] or 0, counts["cache_write_tokens"] or 0
    thoughts, whole = counts["reasoning_tokens"] or 0, source
    if source is not None and max(read, written) > source:
        source += read + written
    if answer is not None and (
        thoughts > answer or (thoughts and whole is not None and total == whole + answer + thoughts)
    ):
        answer += thoughts
    counts["input_tokens"], counts["output_tokens"] = source, answer
    if source is not None and answer is not None and (total is None or total < source + answer):
        counts["total_tokens"] = source + answer
    kept = counts["cache_write_1h_tokens"]
    if kept is not None and counts["cache_write_tokens"] is not None and kept > written:
        counts["cache_write_tokens"] = kept
