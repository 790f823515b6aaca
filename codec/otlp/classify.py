"""Says what a span is: a call of a model, another step of an application that uses models, or anything else.

The first rule that fits decides, since emitters write several dialects on one span. Neither the span's kind
nor a model's name decides alone: agents and outer spans of frameworks have both.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from codec.otlp.dialects.frameworks import ALIYUN, BRAINTRUST, GENKIT
from codec.otlp.dialects.gen_ai import GEN_AI
from codec.otlp.dialects.langfuse import LANGFUSE
from codec.otlp.dialects.langsmith import LANGSMITH
from codec.otlp.dialects.litellm import LITELLM
from codec.otlp.dialects.logfire import LOGFIRE
from codec.otlp.dialects.mlflow import MLFLOW
from codec.otlp.dialects.openinference import OPENINFERENCE
from codec.otlp.dialects.openllmetry import OPENLLMETRY, TRACELOOP
from codec.otlp.dialects.vendors import CLAUDE_CODE, OPENLIT, STRANDS
from codec.otlp.dialects.vercel import VERCEL
from codec.otlp.sources import Reader, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codec.otlp.sources import Dialect, Read, Source
    from codec.otlp.span import Span

DIALECTS: Final = (
    OPENINFERENCE, LANGFUSE, MLFLOW, LANGSMITH, LOGFIRE, LITELLM, CLAUDE_CODE, OPENLIT, STRANDS, GENKIT,
    BRAINTRUST, VERCEL, OPENLLMETRY, TRACELOOP, ALIYUN, GEN_AI,
)  # fmt: skip
"""In the order of the rules."""
_PREFIXES: Final = frozenset(prefix for dialect in DIALECTS for prefix in dialect.prefixes)
_KEYS: Final = frozenset(
    key
    for dialect in DIALECTS
    for sources in dialect.sources.values()
    for source in sources
    for key in ((source,) if isinstance(source, str) else source.keys if isinstance(source, Reader) else ())
)
"""The attributes that fields are taken from."""
_OTHER: Final = Role(is_call=False, operation="")
_BOUNDARIES: Final = {"invoke_agent", "create_agent", "execute_tool", "retrieval", "invoke_workflow"}


class Classified(NamedTuple):
    """What a span is, and whose rules say so."""

    role: Role
    dialect: Dialect

    @property
    def is_boundary(self) -> bool:
        """Whether calls below it are others than a call above it: an agent's, a tool's."""
        return self.role.operation in _BOUNDARIES


def classify(span: Span) -> Classified:
    """Say what a span is."""
    for dialect in DIALECTS:
        role = dialect.role_of(span)
        if role is not None:
            return Classified(role, dialect)
    return Classified(_OTHER, GEN_AI)


class Plan(NamedTuple):
    """How spans are read that are of one dialect and have the same attributes."""

    dialects: tuple[Dialect, ...]
    """The span's own, then those of which it has attributes."""
    sources: Mapping[str, tuple[str | Read, ...]]
    """By field of a log: what has something to say of it, the best first."""


def plan_of(span: Span, dialect: Dialect) -> Plan:
    """Return how a span is read; worked out once for spans that have the same attributes."""
    attributes = span.attributes
    begun = _PREFIXES.intersection([key.partition(".")[0] for key in attributes])
    return _plan_of(dialect, begun, _KEYS.intersection(attributes))


@lru_cache(maxsize=2048)
def _plan_of(dialect: Dialect, begun: frozenset[str], keys: frozenset[str]) -> Plan:
    dialects = _dialects_of(dialect, begun)
    return Plan(
        dialects,
        {
            field: found
            for field, sources in _sources_of(dialects).items()
            if (found := tuple(_present(sources, keys)))
        },
    )


def _present(sources: tuple[Source, ...], keys: frozenset[str]) -> Iterator[str | Read]:
    for source in sources:
        if isinstance(source, Reader):
            if not keys.isdisjoint(source.keys):
                yield source.read
        elif not isinstance(source, str) or source in keys:
            yield source


def _dialects_of(dialect: Dialect, begun: frozenset[str]) -> tuple[Dialect, ...]:
    others = (GEN_AI, *(other for other in DIALECTS if other.is_shared and other.prefixes & begun))
    return (dialect, *(other for other in others if other is not dialect))


@cache
def _sources_of(dialects: tuple[Dialect, ...]) -> Mapping[str, tuple[Source, ...]]:
    """Return where each field of a log is looked for, the best first."""
    fields = dict.fromkeys(field for dialect in dialects for field in dialect.sources)
    return {
        field: tuple(
            dict.fromkeys(source for dialect in dialects for source in dialect.sources.get(field, ()))
        )
        for field in fields
    }
