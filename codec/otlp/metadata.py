"""What becomes a log's metadata: what applications say in a span's attributes, not what emitters add."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llm_observe import limits

from codec.otlp.values import repaired, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.otlp.span import Span
    from codec.otlp.values import Attributes, Value

_NAMED: Final = {
    "gen_ai.agent.name": "agent_name",
    "gen_ai.agent.id": "agent_id",
    "gen_ai.prompt.name": "prompt_name",
    "ai.telemetry.functionId": "function_id",
    "llm.prompt_template.version": "prompt_version",
    "langfuse.observation.prompt.name": "prompt_name",
    "langfuse.observation.prompt.version": "prompt_version",
    "traceloop.workflow.name": "workflow_name",
}
_PREFIXES: Final = (
    "traceloop.association.properties.", "ai.telemetry.metadata.", "langfuse.trace.metadata.",
    "langfuse.observation.metadata.", "langsmith.metadata.",
)  # fmt: skip
_EMITTERS_OWN: Final = re.compile(
    r"(?:LANGSMITH_|LANGCHAIN_|ls_|langgraph_|lc_|langfuse_|checkpoint_ns|_type$|usage_metadata$|revision_id$"
    r"|model(?:_name)?$|stream$|is_langchain_root$|scope\.|attributes\.|resourceAttributes)"
)
_FIELDS: Final = {"session_id", "sessionId", "user_id", "userId", "thread_id", "conversation_id", "tags"}
"""Keys that stand in fields of their own."""


def metadata_of(span: Span) -> dict[str, str]:
    """Return the pairs of a span's log, within its limits; the values are not redacted."""
    service = to_text(span.origin.resource.get("service.name"))
    pairs = {"service_name": service[: limits.MAX_METADATA_VALUE_CHARS]} if service else {}
    for told, value in _told(span):
        key, text = repaired(told), _plain(value)
        if len(pairs) < limits.MAX_METADATA_PAIRS and text and 0 < len(key) <= limits.MAX_METADATA_KEY_CHARS:
            pairs.setdefault(key, text[: limits.MAX_METADATA_VALUE_CHARS])
    return pairs


def _told(span: Span) -> Iterator[tuple[str, Value]]:
    attributes: Attributes = span.attributes
    for attribute, key in _NAMED.items():
        if attribute in attributes:
            yield key, attributes[attribute]
    for attribute, value in attributes.items():
        if attribute.startswith(_PREFIXES):
            prefix = next(prefix for prefix in _PREFIXES if attribute.startswith(prefix))
            yield from _wanted(attribute[len(prefix) :], value)
    described = span.json("metadata") if "metadata" in attributes else None
    for key, value in described.items() if isinstance(described, dict) else ():
        yield from _wanted(key, value)


def _wanted(key: str, value: Value) -> Iterator[tuple[str, Value]]:
    if key not in _FIELDS and not _EMITTERS_OWN.match(key):
        yield key, value


def _plain(value: Value) -> str | None:
    """Return a value as text, without the quotes that it has as JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(value)
    text = to_text(value)
    return text[1:-1] if text and len(text) > 1 and text[0] == text[-1] == '"' else text
