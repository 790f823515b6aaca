"""Says what a span is: a call of a model, another step of an application that uses models, or anything else.

The first rule that fits decides, since emitters write several dialects on one span. Neither the span's kind
nor a model's name decides alone: agents and outer spans of frameworks have both.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

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
from codec.otlp.sources import Role

if TYPE_CHECKING:
    from codec.otlp.sources import Dialect, Source
    from codec.otlp.span import Span

DIALECTS: Final = (
    OPENINFERENCE, LANGFUSE, MLFLOW, LANGSMITH, LOGFIRE, LITELLM, CLAUDE_CODE, OPENLIT, STRANDS, VERCEL,
    OPENLLMETRY, TRACELOOP, GEN_AI,
)  # fmt: skip
"""In the order of the rules."""
_PREFIXES: Final = frozenset(prefix for dialect in DIALECTS for prefix in dialect.prefixes)
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


def readers_of(span: Span, dialect: Dialect) -> tuple[Dialect, ...]:
    """Return the dialects that a span is read by: its own, then those of which it has attributes."""
    present = frozenset(key.partition(".")[0] for key in span.attributes)
    return _readers_of(dialect, present & _PREFIXES)


@cache
def _readers_of(dialect: Dialect, present: frozenset[str]) -> tuple[Dialect, ...]:
    others = (GEN_AI, *(other for other in DIALECTS if other.is_shared and other.prefixes & present))
    return (dialect, *(other for other in others if other is not dialect))


@cache
def sources_of(readers: tuple[Dialect, ...], field: str) -> tuple[Source, ...]:
    """Return where a field of a span's log is looked for, the best first."""
    found: list[Source] = []
    for other in readers:
        if field in other.sources:
            found += (source for source in other.sources.get(field, ()) if source not in found)
    return tuple(found)
