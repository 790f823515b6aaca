"""The base URL says who serves a call; an address that only looks like a provider's does not."""

from __future__ import annotations

import anthropic
import httpx2
import llm_observe
import openai
import pytest
from llm_observe._providers.hosts import find_provider
from openai_wire import COMPLETION, create

URLS = {
    "https://api.openai.com/v1": "openai",
    "https://eu.api.openai.com/v1": "openai",
    "https://openrouter.ai/api/v1": "openrouter",
    "https://api.groq.com/openai/v1": "groq",
    "https://api.deepseek.com": "deepseek",
    "https://api.together.xyz/v1": "together",
    "https://api.fireworks.ai/inference/v1": "fireworks",
    "https://api.x.ai/v1": "xai",
    "https://api.mistral.ai/v1": "mistral",
    "https://acme.openai.azure.com/openai/v1": "azure",
    "https://acme.services.ai.azure.com/openai/v1": "azure",
    "https://generativelanguage.googleapis.com/v1beta/openai/": "gemini",
    "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/l/endpoints/openapi": "vertex",
    "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1": "bedrock",
    "https://api.anthropic.com/v1/": "anthropic",
    "http://localhost:11434/v1": "ollama",
    "http://127.0.0.1:8000/v1": "vllm",
    "http://litellm.acme.example/v1": "litellm",
    "http://proxy:4000": "litellm",
    "http://vllm-7b.models.svc.cluster.local:80/v1": "vllm",
    "https://llm.acme.example:8000/v1": "openai",
    "http://[::1]:11434/v1": "ollama",
    "https://notopenai.com/v1": "openai",
    "https://groq.com.evil.example/v1": "openai",
    "https://API.Groq.COM:443/openai/v1": "groq",
    "https://api.groq.com./openai/v1": "groq",
    "https://user:word@api.groq.com/v1": "groq",
    "https://groq.com@host.example/v1": "openai",
    "https://host.example/api.groq.com/v1": "openai",
    "https://host.example/v1?api.groq.com": "openai",
    "https://openai.com.evil.test/v1": "openai",
    "https://openai.azure.com.evil.test/openai/v1": "openai",
    "https://bedrock.evil.test/v1": "openai",
    "https://aiplatform.googleapis.com.evil.test/v1": "openai",
    "https://fakegroq.com/v1": "openai",
    "https://max.ai/v1": "openai",
    "https://models.inference.ai.azure.com": "azure",
    "https://aiplatform.us.rep.googleapis.com/v1": "vertex",
    "https://bedrock-mantle.us-east-1.api.aws/v1": "bedrock",
    "https://bedrock-proxy-1.us-east-1.elb.amazonaws.com/api/v1": "bedrock",
    "http://bedrock-gateway.internal/api/v1": "bedrock",
    "http://LOCALHOST:11434/v1": "ollama",
    "http://localhost.:11434/v1": "ollama",
    "http://host.docker.internal:11434/v1": "ollama",
    "http://172.16.0.1:8000/v1": "vllm",
    "http://172.15.0.1:8000/v1": "openai",
    "http://100.64.0.3:11434/v1": "ollama",
    "http://8.8.8.8:11434/v1": "openai",
    "http://127.0.0.1.evil.test:8000/v1": "openai",
    "http://[fd00::5]:8000/v1": "vllm",
    "http://[fe80::1%25eth0]:11434/v1": "ollama",
    "http://[::ffff:127.0.0.1]:4000/v1": "litellm",
    "http://[2606:4700::1111]:8000/v1": "openai",
}
"""OpenAI's client says openai where the address says nothing."""


@pytest.mark.parametrize("url", URLS)
def test_the_base_url_names_the_provider(recorder, url):
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, json=COMPLETION)))
    create(llm_observe.wrap(openai.OpenAI(api_key="k", base_url=url, http_client=http)))
    assert recorder.only.provider == URLS[url]


def test_a_client_for_a_platform_names_it_whatever_its_address():
    for client_class, provider in (
        (openai.AzureOpenAI, "azure"),
        (openai.AsyncBedrockOpenAI, "bedrock"),
        (anthropic.AsyncAnthropicBedrock, "bedrock"),
        (anthropic.AnthropicVertex, "vertex"),
        (anthropic.AnthropicFoundry, "azure"),
        (openai.OpenAI, ""),
        (anthropic.Anthropic, ""),
    ):
        assert find_provider(client_class, "gateway.acme.example", 8000) == provider
