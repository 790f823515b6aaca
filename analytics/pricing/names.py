"""The names that providers and models go by, in logs, in OpenTelemetry and in price lists."""

from __future__ import annotations

import re
from typing import Final

_ALIASES: Final = {
    alias: name
    for name, aliases in {
        "aws": "amazon amazon-bedrock amazon_bedrock aws.bedrock aws_bedrock bedrock",
        "azure": "az.ai.inference az.ai.openai azure.ai.inference azure.ai.openai"
        " azure-ai azure-openai azure_ai azure_openai azureopenai",
        "fireworks": "fireworks-ai fireworks_ai",
        "google": "gcp.gemini gcp.gen_ai gcp.vertex_ai gemini google-genai google_genai google_vertexai"
        " vertex vertex_ai vertexai",
        "mistral": "mistral-ai mistral_ai mistralai",
        "moonshotai": "moonshot moonshot_ai",
        "together": "together-ai together_ai togetherai",
        "voyageai": "voyage voyage_ai",
        "x-ai": "x.ai x_ai xai",
        "zai": "z.ai z_ai",
    }.items()
    for alias in aliases.split()
}
"""Names of OpenTelemetry's conventions and of common clients, to those of genai-prices."""

# Servers that speak a vendor's protocol, and are not the vendor's: openai-compatible, custom_openai.
_SOMEBODY_ELSE: Final = re.compile(r"compatible|custom|[-_]like\b")


def provider_names(provider: str) -> tuple[str, ...]:
    """Return the names of a provider in price lists: as it stands, then the one it is an alias of."""
    name = provider.strip().lower()
    known_as = _ALIASES.get(name, name)
    return (name,) if known_as == name else (name, known_as)


def model_names(model: str) -> tuple[str, ...]:
    """Return the names of a model in price lists: as it stands, then without `.../models/` before it."""
    name = model.strip().lower()
    _, prefix, rest = name.rpartition("models/")
    return (name, rest) if prefix and rest else (name,)


def is_somebody_else(provider: str) -> bool:
    """Tell whether a provider only resembles the vendor that it is named after."""
    return bool(_SOMEBODY_ELSE.search(provider.lower()))
