"""Who serves a call: many speak the protocol of OpenAI or Anthropic; the address tells them apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llm_observe._vendor import VendorClass

_DOMAINS: Final = {
    "openai.com": "openai",
    "anthropic.com": "anthropic",
    "openai.azure.com": "azure",
    "openai.azure.us": "azure",
    "cognitiveservices.azure.com": "azure",
    "ai.azure.com": "azure",
    "azure-api.net": "azure",
    "generativelanguage.googleapis.com": "gemini",
    "openrouter.ai": "openrouter",
    "groq.com": "groq",
    "deepseek.com": "deepseek",
    "together.xyz": "together",
    "together.ai": "together",
    "fireworks.ai": "fireworks",
    "x.ai": "xai",
    "mistral.ai": "mistral",
    "perplexity.ai": "perplexity",
    "cerebras.ai": "cerebras",
    "cohere.com": "cohere",
    "cohere.ai": "cohere",
    "moonshot.ai": "moonshot",
    "moonshot.cn": "moonshot",
    "z.ai": "zai",
    "bigmodel.cn": "zhipuai",
    "minimax.io": "minimax",
    "minimax.chat": "minimax",
    "minimaxi.com": "minimax",
    "dashscope.aliyuncs.com": "qwen",
    "dashscope-intl.aliyuncs.com": "qwen",
    "huggingface.co": "huggingface",
    "huggingface.cloud": "huggingface",
    "deepinfra.com": "deepinfra",
    "novita.ai": "novita",
    "sambanova.ai": "sambanova",
    "hyperbolic.xyz": "hyperbolic",
    "nebius.com": "nebius",
    "baseten.co": "baseten",
    "integrate.api.nvidia.com": "nvidia",
    "api.cloudflare.com": "cloudflare",
    "githubcopilot.com": "github-copilot",
    "databricks.com": "databricks",
    "azuredatabricks.net": "databricks",
    "ollama.com": "ollama",
}
"""The providers with an address of their own: their domain, or that of their API alone."""
_WORDS: Final = {"ollama": "ollama", "vllm": "vllm", "litellm": "litellm"}
"""Words in the names of hosts that run a server of one's own."""
_CLOUDS: Final = {
    "aiplatform": ("vertex", (".googleapis.com",)),
    "bedrock": ("bedrock", (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")),
}
"""Words in the names of hosts of a cloud, each region of which has its own, and the cloud's domains."""
_PORTS: Final = {11434: "ollama", 8000: "vllm", 4000: "litellm"}
"""Where servers listen that one runs oneself, unless told otherwise."""
_OWN_HOST: Final = re.compile(r"[^.:]+|.*\.(?:local|localdomain|localhost|internal|lan|svc)")
"""A name of this machine or of a host on a private network."""
_CLASSES: Final = (
    ("Azure", "azure"), ("Foundry", "azure"), ("Bedrock", "bedrock"), ("Vertex", "vertex"),
    ("GoogleCloud", "vertex"),
)  # fmt: skip
"""Parts of the names of clients for a platform, which may be called through a gateway."""


def find_provider(client_class: VendorClass, host: str, port: int | None) -> str:
    """Return who serves at an address; empty if that cannot be told, or if it is the client's vendor."""
    return _by_domain(host) or _by_class(client_class) or _by_habit(host, port)


def _by_domain(host: str) -> str:
    labels = host.split(".")
    domains = (".".join(labels[start:]) for start in range(len(labels) - 1))
    return next((_DOMAINS[domain] for domain in domains if domain in _DOMAINS), "")


def _by_class(client_class: VendorClass) -> str:
    names = [base.__name__ for base in client_class.__mro__]
    return next((name for part, name in _CLASSES if any(part in each for each in names)), "")


def _by_habit(host: str, port: int | None) -> str:
    is_own = _is_own(host)
    for word in re.split(r"[^a-z0-9]+", host):
        if word in _WORDS:
            return _WORDS[word]
        name, domains = _CLOUDS.get(word, ("", ()))
        if name and (is_own or host.endswith(domains)):
            return name
    return _PORTS.get(port or 0, "") if is_own else ""


def _is_own(host: str) -> bool:
    """Return whether a host is this machine or on a private network."""
    import ipaddress  # noqa: PLC0415 - loaded by the vendors' packages, not by ours

    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _OWN_HOST.fullmatch(host) is not None
    return not (getattr(address, "ipv4_mapped", None) or address).is_global
