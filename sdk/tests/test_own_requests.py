"""Requests that an application makes in its own way: by post(), extra_body, or a class of its own."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import llm_observe
import openai
import pytest
from openai._models import FinalRequestOptions
from openai_wire import COMPLETION, QUESTION, chunk, sse
from vendor_wire import ANTHROPIC_MESSAGE

BODY = {"model": "m", "max_tokens": 5, "messages": QUESTION}


def make(kind: Any, handler: Any) -> Any:
    asynchronous = inspect.iscoroutinefunction(kind.request)
    http_client = (httpx2.AsyncClient if asynchronous else httpx2.Client)(
        transport=httpx2.MockTransport(handler)
    )
    return llm_observe.wrap(kind(api_key="k", max_retries=0, http_client=http_client))


def answering(whole: Any) -> Any:
    return lambda _: httpx2.Response(200, json=whole)


URLS = {
    "/chat/completions": (openai.OpenAI, COMPLETION),
    "chat/completions": (openai.OpenAI, COMPLETION),
    "/chat/completions/": (openai.OpenAI, COMPLETION),
    "/chat/completions?version=1": (openai.OpenAI, COMPLETION),
    "https://models.example/v1/chat/completions": (openai.OpenAI, COMPLETION),
    "/deployments/mine/chat/completions": (openai.OpenAI, COMPLETION),
    "/v1/messages": (anthropic.Anthropic, ANTHROPIC_MESSAGE),
    "v1/messages": (anthropic.Anthropic, ANTHROPIC_MESSAGE),
    "/v1/messages/": (anthropic.Anthropic, ANTHROPIC_MESSAGE),
    "/v1/messages?beta=true": (anthropic.Anthropic, ANTHROPIC_MESSAGE),
    "https://models.example/v1/messages": (anthropic.Anthropic, ANTHROPIC_MESSAGE),
}


@pytest.mark.parametrize("url", URLS)
def test_an_endpoint_is_known_however_its_url_is_written(recorder, url):
    kind, whole = URLS[url]
    make(kind, answering(whole)).post(url, cast_to=object, body=BODY)
    assert (recorder.only.operation, recorder.only.output_preview) == ("chat", "all is well")


OTHERS = {
    "/chat/completions/c1": openai.OpenAI,
    "/chat": openai.OpenAI,
    "/my-chat/completionsx": openai.OpenAI,
    "/v1/messages/count_tokens": anthropic.Anthropic,
    "/v1/messages/batches": anthropic.Anthropic,
    "/not-v1/messages": anthropic.Anthropic,
}


@pytest.mark.parametrize("url", OTHERS)
def test_an_endpoint_with_a_url_much_like_it_is_another(recorder, url):
    make(OTHERS[url], answering({})).post(url, cast_to=object, body=BODY)
    assert recorder.calls == []


@pytest.mark.parametrize(
    "url", ["responses/r1", "https://models.example/v1/responses/r1", "/responses/r1?a=b"]
)
def test_an_answer_in_the_background_is_found_however_its_url_is_written(recorder, url):
    states = iter(("queued", "completed"))
    whole = {"id": "r1", "object": "response", "model": "m", "output": [], "background": True}
    client = make(openai.OpenAI, lambda _: httpx2.Response(200, json={**whole, "status": next(states)}))
    client.responses.create(model="m", input="hi", background=True)
    assert recorder.calls == []
    client.get(url, cast_to=openai.types.responses.Response)
    assert recorder.only.provider_response_id == "r1"


@pytest.mark.parametrize("kind", [openai.OpenAI, anthropic.Anthropic])
def test_a_request_that_lists_answers_runs_no_model(recorder, kind):
    url = "/chat/completions" if kind is openai.OpenAI else "/v1/messages"
    make(kind, answering({})).get(url, cast_to=object)
    assert recorder.calls == []


class Parts:
    """A body that comes in parts."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self._content[:10]
        yield self._content[10:]


ENCODED: dict[str, tuple[Any, str, str]] = {
    "bytes": (json.dumps(BODY).encode(), "m", "what is up?"),
    "parts": (Parts(json.dumps(BODY).encode()), "gpt-4o-mini-2024", ""),
    "no JSON": (b"\xff", "gpt-4o-mini-2024", ""),
    "no object": (b"[]", "gpt-4o-mini-2024", ""),
    "long": (json.dumps({**BODY, "pad": "x" * 300_000}).encode(), "gpt-4o-mini-2024", ""),
}


@pytest.mark.parametrize("content", ENCODED)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_body_that_the_application_has_encoded_passes_and_is_recorded(recorder, content, streamed):
    body, model, prompt = ENCODED[content]
    sent = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.read())
        return (
            sse([chunk("all is well"), chunk(finish="stop")])
            if streamed
            else httpx2.Response(200, json=COMPLETION)
        )

    options = {"stream": True, "stream_cls": openai.Stream[object]} if streamed else {}
    expected = body if isinstance(body, bytes) else json.dumps(BODY).encode()
    answered = make(openai.OpenAI, answer).post(
        "/chat/completions",
        cast_to=object,
        content=body,
        **options,
    )
    if streamed:
        list(answered)
    assert sent == [expected]
    assert (recorder.only.model, recorder.only.input_preview) == (model, prompt)


def test_what_extra_body_says_replaces_the_arguments(recorder):
    texts = ((0, "one "), (1, "TWO "), (0, "and one"), (1, "AND TWO"))
    chunks = [
        {**chunk(), "choices": [{"index": index, "delta": {"content": text}, "finish_reason": None}]}
        for index, text in texts
    ]
    client = make(openai.OpenAI, lambda _: sse([*chunks, chunk(finish="stop")]))
    other = {"model": "other", "n": 2, "messages": [{"role": "user", "content": "and you?"}]}
    list(client.chat.completions.create(model="m", messages=QUESTION, stream=True, extra_body=other))
    log = recorder.only
    assert (log.model, log.input_preview, log.output_preview) == ("other", "and you?", "one and one")


def test_what_extra_body_says_replaces_the_arguments_of_a_message(recorder):
    client = make(anthropic.Anthropic, answering(ANTHROPIC_MESSAGE))
    client.messages.create(model="m", max_tokens=5, messages=QUESTION, extra_body={"model": "other"})
    assert recorder.only.model == "other"


class Labelled(openai.OpenAI):
    """Overrides the method that we do, with arguments of its own."""

    def request(self, cast_to: Any, options: Any, label: str = "", *, note: str = "", **known: Any) -> Any:
        return label, note, super().request(cast_to, options, **known)


class AsyncLabelled(openai.AsyncOpenAI):
    async def request(
        self, cast_to: Any, options: Any, label: str = "", *, note: str = "", **known: Any
    ) -> Any:
        return label, note, await super().request(cast_to, options, **known)


@pytest.mark.parametrize("kind", [Labelled, AsyncLabelled])
@pytest.mark.parametrize("url", ["/chat/completions", "/other"])
async def test_arguments_of_an_applications_own_method_arrive(recorder, kind, url):
    options = FinalRequestOptions.construct(method="post", url=url, json_data=dict(BODY))
    result = make(kind, answering(COMPLETION)).request(object, options, "a", note="b")
    label, note, _ = await result if inspect.isawaitable(result) else result
    assert (label, note) == ("a", "b")
    assert len(recorder.calls) == (url != "/other")
