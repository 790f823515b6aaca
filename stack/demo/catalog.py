"""The application that demo traffic is from: its providers, models, features and users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stack.demo import texts

if TYPE_CHECKING:
    from stack.demo.texts import Prompt


@dataclass(frozen=True, slots=True)
class Failure:
    """A way in which a provider fails."""

    code: str
    http_status: int | None
    message: str
    weight: int
    retried: bool = True
    after_s: float = 0.4
    """How long it takes, in seconds, at the median."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A vendor and its words."""

    host: str
    response_prefix: str
    stop: str
    length: str
    tools: str
    standard_tier: str
    failures: tuple[Failure, ...]


_TIMEOUT: Final = Failure("timeout", None, "Request timed out.", 2, after_s=30.0)

PROVIDERS: Final = {
    "openai": Provider(
        "api.openai.com",
        "chatcmpl-",
        "stop",
        "length",
        "tool_calls",
        "default",
        (
            Failure("rate_limit_exceeded", 429, "Rate limit reached on tokens per min (TPM).", 6),
            Failure("server_error", 500, "The server had an error while processing your request.", 2),
            Failure(
                "context_length_exceeded", 400, "Your input exceeds the context window.", 1, retried=False
            ),
            _TIMEOUT,
        ),
    ),
    "anthropic": Provider(
        "api.anthropic.com",
        "msg_",
        "end_turn",
        "max_tokens",
        "tool_use",
        "standard",
        (
            Failure("overloaded_error", 529, "Overloaded", 6),
            Failure("rate_limit_error", 429, "This request would exceed your organization's rate limit.", 3),
            Failure("invalid_request_error", 400, "prompt is too long", 1, retried=False),
            _TIMEOUT,
        ),
    ),
    "gemini": Provider(
        "generativelanguage.googleapis.com",
        "",
        "STOP",
        "MAX_TOKENS",
        "STOP",
        "",
        (
            Failure("RESOURCE_EXHAUSTED", 429, "Quota exceeded for requests per minute.", 5),
            Failure("UNAVAILABLE", 503, "The model is overloaded. Please try again later.", 3),
            Failure(
                "DEADLINE_EXCEEDED", 504, "Deadline expired before operation could complete.", 1, after_s=20.0
            ),
        ),
    ),
    "mistral": Provider(
        "api.mistral.ai",
        "",
        "stop",
        "length",
        "tool_calls",
        "",
        (
            Failure("rate_limited", 429, "Requests rate limit exceeded", 5),
            Failure("service_unavailable", 503, "Service unavailable.", 2),
            _TIMEOUT,
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Model:
    """A model and its behaviour; its times and counts are log-normal around these."""

    provider: str
    name: str
    first_token_s: float
    tokens_per_s: float
    output_tokens: int
    reasoning_share: float = 0.0
    """The part of the output that is spent on reasoning."""
    tiers: tuple[str, ...] = ()
    """Service tiers that are used now and then."""
    succeeds: str = ""
    """The model that this one takes the place of in the days shown."""


MODELS: Final = {
    model.name: model
    for model in (
        Model("openai", "gpt-5-mini", 0.5, 120, 260, 0.4, tiers=("flex",)),
        Model("openai", "gpt-5.2", 0.9, 70, 520, 0.5, tiers=("flex", "priority")),
        Model("openai", "gpt-4.1-mini", 0.35, 140, 90),
        Model("openai", "text-embedding-3-small", 0.08, 0, 0),
        Model("anthropic", "claude-sonnet-4-5", 0.9, 75, 420),
        Model("anthropic", "claude-sonnet-5-5", 0.7, 90, 400, succeeds="claude-sonnet-4-5"),
        Model("anthropic", "claude-opus-5-5", 1.3, 55, 650),
        Model("anthropic", "claude-haiku-5-5", 0.35, 160, 110),
        Model("gemini", "gemini-2.5-flash", 0.4, 180, 240, 0.2),
        Model("gemini", "gemini-4-argon", 1.1, 85, 480, 0.4),
        Model("gemini", "gemini-embedding-001", 0.1, 0, 0),
        Model("mistral", "mistral-large-latest", 0.6, 80, 330),
        Model("mistral", "mistral-small-latest", 0.25, 150, 160),
    )
}


@dataclass(frozen=True, slots=True)
class Feature:
    """What the application does with models."""

    name: str
    kind: str
    """`chat`, `conversation`, `agent`, `embeddings` or `batch`."""
    weight: float
    models: tuple[tuple[str, int], ...]
    """Names of models, with weights."""
    prompts: tuple[Prompt, ...]
    input_tokens: int
    streamed_share: float = 0.0
    tags: tuple[str, ...] = ()


FEATURES: Final = (
    Feature(
        "assistant",
        "conversation",
        10,
        (("gpt-5-mini", 5), ("claude-sonnet-5-5", 4), ("gemini-4-argon", 2)),
        texts.ASSISTANT,
        900,
        streamed_share=0.95,
        tags=("web",),
    ),
    Feature(
        "support-agent",
        "agent",
        6,
        (("claude-sonnet-5-5", 5), ("gpt-5.2", 3)),
        texts.SUPPORT,
        2200,
        streamed_share=0.8,
        tags=("support", "agent"),
    ),
    Feature(
        "summaries",
        "chat",
        22,
        (("gemini-2.5-flash", 6), ("gpt-5-mini", 4), ("claude-haiku-5-5", 2)),
        texts.SUMMARIES,
        3200,
    ),
    Feature(
        "translation",
        "chat",
        14,
        (("mistral-large-latest", 4), ("mistral-small-latest", 5)),
        texts.TRANSLATION,
        350,
        streamed_share=0.4,
    ),
    Feature(
        "code-review",
        "chat",
        9,
        (("claude-opus-5-5", 4), ("gpt-5.2", 3)),
        texts.CODE,
        5200,
        streamed_share=0.6,
        tags=("ci",),
    ),
    Feature(
        "search-index",
        "embeddings",
        16,
        (("text-embedding-3-small", 6), ("gemini-embedding-001", 2)),
        texts.DOCUMENTS,
        420,
        tags=("search",),
    ),
    Feature(
        "ticket-labels",
        "batch",
        5,
        (("gpt-4.1-mini", 4), ("claude-haiku-5-5", 2)),
        texts.LABELS,
        700,
        tags=("nightly",),
    ),
)
TOOLS: Final = (
    ("lookup_order", '{"order_id": "A-20871"}', '{"status": "shipped", "carrier": "DHL", "eta_days": 2}'),
    (
        "search_docs",
        '{"query": "refund policy", "limit": 5}',
        '{"hits": 5, "best": "Refunds within 30 days"}',
    ),
    ("create_ticket", '{"queue": "returns", "priority": "normal"}', '{"ticket": "T-5531"}'),
    ("check_stock", '{"sku": "LMP-44", "warehouse": "north"}', '{"available": 17}'),
)
"""Tools of the agent: name, arguments and result."""
SEARCH_TOOL: Final = "search_docs"
USERS: Final = tuple(f"user-{number:03}" for number in range(1, 81))
USER_WEIGHTS: Final = tuple(1 / number for number in range(1, len(USERS) + 1))
"""The first users make most of the calls."""
