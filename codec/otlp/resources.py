"""What a span's process says of itself, and names that are written as addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe import limits

from codec.otlp.values import to_text

if TYPE_CHECKING:
    from codec.otlp.span import Span

_ENVIRONMENTS: Final = ("deployment.environment.name", "deployment.environment")


def environment_of(span: Span) -> str:
    """Return the environment a span comes from."""
    langfuse = span.text("langfuse.environment")  # its default says nothing
    told = langfuse if langfuse != "default" else ""
    for attributes in (span.origin.resource, span.attributes):
        for key in _ENVIRONMENTS:
            told = told or to_text(attributes.get(key)) or ""
    return (told or langfuse)[: limits.MAX_TEXT_CHARS["environment"]]


def release_of(span: Span) -> str:
    """Return the release of the application that a span comes from."""
    told = span.text("langfuse.release") or to_text(span.origin.resource.get("service.version")) or ""
    return told[: limits.MAX_TEXT_CHARS["release"]]


def source_of(span: Span) -> str:
    """Return by which instrumentation a span came."""
    name = span.scope or to_text(span.origin.resource.get("telemetry.sdk.name")) or "otlp"
    return name[: limits.MAX_TEXT_CHARS["source"]]


def host_of(address: str) -> str:
    """Return the host of an address: some emitters write a URL."""
    rest = address.partition("://")[2] or address
    host = rest.partition("/")[0].rpartition("@")[2]
    return host[: limits.MAX_TEXT_CHARS["server_address"]]
