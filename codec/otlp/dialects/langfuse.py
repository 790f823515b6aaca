"""Langfuse's SDKs. Usage is a provider's own object, or buckets of which each token is in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codec.otlp.response_ids import response_id_in
from codec.otlp.sources import Dialect, Role, answer, json_text, until_instant, user_text, within
from codec.otlp.usage import Usage, of_counts, read_vendor_usage
from codec.otlp.values import to_count

if TYPE_CHECKING:
    from codec.otlp.span import Span
    from codec.otlp.values import Value

_TYPES: Final = {
    "generation": Role(is_call=True, operation="chat"),
    "embedding": Role(is_call=True, operation="embeddings"),
    "tool": Role(is_call=False, operation="execute_tool"),
    "agent": Role(is_call=False, operation="invoke_agent"),
    "retriever": Role(is_call=False, operation="retrieval"),
}


def _role_of(span: Span) -> Role | None:
    kind = span.text("langfuse.observation.type").lower()
    return _TYPES.get(kind, Role(is_call=False, operation=kind)) if kind else None


def _usage(span: Span) -> Usage:
    details = span.json("langfuse.observation.usage_details")
    if not isinstance(details, dict):
        return Usage()
    if (
        any(key in details for key in ("prompt_tokens", "completion_tokens"))
        or "input_tokens_details" in details
    ):
        return read_vendor_usage(details)
    if "input" in details or "output" in details:
        return _add_buckets(details)
    return read_vendor_usage(details)._replace(disjoint_input=True)


def _add_buckets(details: dict[str, Value]) -> Usage:
    """Add up buckets: ``input`` leaves out ``input_cache_read`` and ``cache_read_input_tokens``."""
    usage: dict[str, int | None] = {
        "input": 0, "output": 0, "cache_read": None, "cache_write": None, "reasoning": None,
        "audio_input": None, "audio_output": None,
    }  # fmt: skip
    for key, value in details.items():
        count = to_count(value)
        if count is None or key == "total":
            continue
        side = "output" if key.startswith("output") or "reasoning" in key or "completion" in key else "input"
        part = _part_of(key, side)
        usage[side] = (usage[side] or 0) + count
        if part:
            usage[part] = (usage[part] or 0) + count
    known = {
        "input": any("input" in key or "cache" in key for key in details),
        "output": "output" in str(list(details)),
    }
    for side, is_known in known.items():
        usage[side] = usage[side] if is_known else None
    return of_counts({**usage, "total": to_count(details.get("total"))})


def _part_of(key: str, side: str) -> str:
    if "cache" in key:
        return "cache_write" if "creation" in key or "write" in key else "cache_read"
    if "reasoning" in key:
        return "reasoning"
    return f"audio_{side}" if "audio" in key else ""


LANGFUSE: Final = Dialect(
    name="langfuse",
    prefixes=frozenset({"langfuse"}),
    role_of=_role_of,
    usage=_usage,
    ends_are_told=False,
    sources={
        "provider": (json_text("langfuse.observation.metadata.ls_provider"),),
        "model": (json_text("langfuse.observation.metadata.ls_model_name"),),
        "named_model": ("langfuse.observation.model.name", "langfuse.observation.model"),
        "ttft_ns": (until_instant("langfuse.observation.completion_start_time"),),
        "provider_response_id": (response_id_in("langfuse.observation.output"),),
        "service_tier": (within("langfuse.observation.model.parameters", "service_tier"),),
        "session_id": (
            "langfuse.session.id",
            "session.id",
            json_text("langfuse.observation.metadata.langfuse_session_id"),
            json_text("langfuse.trace.metadata.langfuse_session_id"),
        ),
        "user_id": (
            "langfuse.user.id",
            "user.id",
            json_text("langfuse.observation.metadata.langfuse_user_id"),
        ),
        "conversation_id": (json_text("langfuse.observation.metadata.thread_id"),),
        "environment": ("langfuse.environment",),
        "release": ("langfuse.release",),
        "tags": ("langfuse.trace.tags", json_text("langfuse.observation.metadata.langfuse_tags")),
        "input_preview": (user_text("langfuse.observation.input"),),
        "output_preview": (answer("langfuse.observation.output"),),
    },
)
