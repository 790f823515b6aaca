"""Every class of a client that the vendors' packages have is recorded, asynchronous or not."""

from __future__ import annotations

import inspect
from typing import Any

import anthropic
import httpx2
import llm_observe
import openai
import pytest
from client_kinds import ask
from openai_wire import COMPLETION
from vendor_wire import ANTHROPIC_MESSAGE

AWS = {"aws_region": "us-east-1"}
OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    # class without Async: provider, options
    "OpenAI": ("openai", {"api_key": "k"}),
    "AzureOpenAI": (
        "azure",
        {"api_key": "k", "api_version": "v", "azure_endpoint": "https://acme.openai.azure.com"},
    ),
    "BedrockOpenAI": ("bedrock", {**AWS, "api_key": "k"}),
    "Anthropic": ("anthropic", {"api_key": "k"}),
    "AnthropicAWS": ("anthropic", {**AWS, "api_key": "k", "workspace_id": "w"}),
    "AnthropicBedrock": ("bedrock", {**AWS, "aws_access_key": "a", "aws_secret_key": "b"}),
    "AnthropicBedrockMantle": ("bedrock", {**AWS, "api_key": "k"}),
    "AnthropicFoundry": ("azure", {"api_key": "k", "resource": "acme"}),
    "AnthropicGoogleCloud": (
        "vertex",
        {"project": "p", "location": "global", "workspace_id": "w", "token_provider": lambda: "t"},
    ),
    "AnthropicVertex": ("vertex", {"region": "global", "project_id": "p", "access_token": "t"}),
}


def client_classes() -> dict[str, Any]:
    bases = tuple(
        getattr(package._base_client, base)
        for package in (openai, anthropic)
        for base in ("SyncAPIClient", "AsyncAPIClient")
    )
    named = {**vars(openai), **vars(anthropic)}
    return {
        kind.__name__: kind
        for name, kind in named.items()
        if inspect.isclass(kind) and issubclass(kind, bases) and not name.startswith("_")
    }


CLASSES = client_classes()


def answer(request: httpx2.Request) -> httpx2.Response:
    openais = request.url.path.endswith("/completions")
    return httpx2.Response(200, json=COMPLETION if openais else ANTHROPIC_MESSAGE)


@pytest.mark.parametrize("name", CLASSES)
async def test_every_client_class_is_recorded(recorder, name):
    kind = CLASSES[name]
    provider, options = OPTIONS[name.removeprefix("Async")]
    asynchronous = inspect.iscoroutinefunction(kind.request)
    http = (httpx2.AsyncClient if asynchronous else httpx2.Client)(transport=httpx2.MockTransport(answer))
    await ask(llm_observe.wrap(kind(http_client=http, **options)))
    log = recorder.only
    assert log.provider == provider
    assert log.input_token_count
    assert log.output_preview


FORMS = ["/v1{}", "v1{}", "/v1{}/", "/v1{}?a=1", "https://host.example/v1{}"]
PATHS: list[tuple[Any, str]] = [(openai.OpenAI, "/chat/completions"), (anthropic.Anthropic, "/messages")]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("kind", "path"), PATHS)
def test_a_request_that_the_application_makes_itself(recorder, kind, path, form):
    whole = COMPLETION if kind is openai.OpenAI else ANTHROPIC_MESSAGE
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=whole))
    client = llm_observe.wrap(kind(api_key="k", http_client=httpx2.Client(transport=transport)))
    body = {"model": "m", "messages": [{"role": "user", "content": "what is up?"}]}
    client.post(form.format(path), cast_to=object, body=body)
    assert (recorder.only.input_preview, recorder.only.output_preview) == ("what is up?", "all is well")


@pytest.mark.parametrize("path", ["chat/completions", "/chat/completions/"])
def test_a_path_may_be_written_in_several_ways(recorder, path):
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=COMPLETION))
    client = llm_observe.wrap(openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport)))
    client.post(path, cast_to=object, body={"model": "m", "messages": []})
    assert recorder.only.output_preview == "all is well"
