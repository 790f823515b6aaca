"""The names of providers, from what emitters call them: some give a framework's name, or an endpoint's."""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = "unknown"
_FRAMEWORKS: Final = frozenset(
    (
        "strands-agents", "strands", "langchain", "langgraph", "autogen", "crewai", "_other",
        "microsoft.agent_framework", "agent_framework", "gcp.vertex.agent", "llama_index", "llamaindex",
        "haystack", "dspy", "smolagents",
        "pydantic-ai", "pydantic_ai", "langfuse", "langsmith", "mlflow", "litellm", "openai_agents",
        "openai-agents", "google_adk", "google-adk", "vercel", "ai_sdk", "claude_code", "semantic_kernel",
        "agno", "instructor", "mirascope", "guardrails", "openlit", "traceloop", "logfire", "unknown", "none",
        "null",
    )
)  # fmt: skip
_ALIASES: Final = {
    "google": "gemini", "gcp.gemini": "gemini", "gcp.gen_ai": "gemini", "google_genai": "gemini",
    "google-genai": "gemini",
    "google.generative-ai": "gemini", "googleai": "gemini", "claude": "anthropic", "open_ai": "openai",
}  # fmt: skip
_ENDPOINTS: Final = frozenset(
    (
        "chat", "chat_completions", "completion", "completions", "responses", "embedding", "embeddings",
        "messages", "generative-ai", "image", "transcription", "speech", "text",
    )
)  # fmt: skip
"""What the Vercel AI SDK adds to a provider's name: ``openai.chat``, ``anthropic.messages``."""
_MODELS: Final = (
    ("openai", ("gpt-", "gpt4", "chatgpt", "o1", "o3", "o4", "text-embedding-", "davinci", "babbage",
    "dall-e")), ("anthropic", ("claude",)), ("gemini", ("gemini", "gemma", "learnlm", "imagen")), ("mistral",
    ("mistral", "mixtral", "codestral", "ministral", "pixtral", "magistral")), ("cohere", ("command",
    "embed-english", "embed-multilingual")), ("deepseek", ("deepseek",)), ("x-ai", ("grok",)),
)  # fmt: skip
"""By provider: how the names of its models begin."""


def provider_of(name: str, model: str) -> str:
    """Return a provider's name in lower case: the emitter's unless that is a framework's, else the model's.

    Args:
        name: What the emitter says; may be empty.
        model: The model's name, which may begin with the provider's, as LiteLLM writes it.
    """
    told = _normalize(name)
    if told and told not in _FRAMEWORKS:
        return told
    return _provider_of_model(model.strip().lower())


def _normalize(name: str) -> str:
    name = name.strip().lower()[:64]
    base, _, endpoint = name.rpartition(".")
    if base and endpoint in _ENDPOINTS and name not in _ALIASES:
        name = base
    return _ALIASES.get(name, name)


def _provider_of_model(model: str) -> str:
    prefix, slash, rest = model.partition("/")
    if slash:
        known = _provider_of_model(rest)
        told = _normalize(prefix)
        return told if told not in _FRAMEWORKS | {"models", "publishers"} else known
    bare = model.rpartition(":")[2] if model.startswith("ft:") else model
    for provider, beginnings in _MODELS:
        if bare.startswith(beginnings):
            return provider
    return UNKNOWN
