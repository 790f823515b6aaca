"""A wrapped client, its copies and its subclasses are recorded, and send the same as unwrapped."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import anthropic
import client_kinds
import httpx2
import llm_observe
import pytest
from client_kinds import FIRST, MAKERS, SECOND, ask, build
from openai_wire import COMPLETION, make_client


class Kind:
    """Creates clients of one kind."""

    def __init__(self, name: str) -> None:
        self.make, self.type = MAKERS[name]
        self.is_gemini = "Gemini" in name

    def __call__(self, key: str = FIRST, host: str = "first.invalid") -> Any:
        return self.make(self.type, key, host)


@pytest.fixture(params=MAKERS)
def kind(request) -> Kind:
    return Kind(request.param)


def shallow(kind: Kind, client: Any) -> Any:
    """Copy a client and give the copy another key."""
    other = copy.copy(client)
    if kind.is_gemini:  # its models hold the connection, which holds the key
        other._models = copy.copy(client.models)
        other._models._api_client = kind(SECOND)._api_client
    else:
        other.api_key = SECOND
    return other


WAYS = {
    "itself": lambda _kind, client: client,
    "copy.copy": shallow,
    "copy.deepcopy": lambda _kind, client: copy.deepcopy(client),
    "pickle": lambda _kind, client: pickle.loads(pickle.dumps(client)),  # noqa: S301 - our own
    "copy()": lambda _kind, client: client.copy(),
    "copy(key)": lambda _kind, client: client.copy(api_key=SECOND),
    "with_options(key)": lambda _kind, client: client.with_options(api_key=SECOND),
    "with_options(address)": lambda _kind, client: client.with_options(base_url="http://second.invalid"),
    "a copy of a copy": lambda kind, client: copy.copy(shallow(kind, client)),
    # Only Gemini's models object is wrapped, so the client's type creates unwrapped clients.
    "its type": lambda kind, client: client if kind.is_gemini else build(type(client), SECOND),
}


async def exchange(kind: Kind, way: str, *, wrapped: bool, used: bool) -> Any:
    """Call a client and its copy; return the requests sent, or the type of the error that copying raised."""
    client_kinds.sent.clear()
    client = kind()
    if wrapped:
        llm_observe.wrap(client)
    if used:  # creates its resources, which refer to the client
        await ask(client)
    try:
        other = WAYS[way](kind, client)
    except Exception as error:  # noqa: BLE001 - compared
        return type(error)
    await ask(client)
    await ask(other)
    return list(client_kinds.sent)


@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_copy_sends_the_same_requests_as_unwrapped_and_is_recorded(kind, way, used, recorder):
    unwrapped = await exchange(kind, way, wrapped=False, used=used)
    assert recorder.calls == []
    assert await exchange(kind, way, wrapped=True, used=used) == unwrapped
    assert len(recorder.calls) == len(client_kinds.sent)


async def test_a_key_set_after_wrapping_is_sent(kind, recorder):
    client = llm_observe.wrap(kind())
    (client.models._api_client if kind.is_gemini else client).api_key = SECOND
    client_kinds.sent.clear()
    await ask(client)
    assert len(recorder.calls) == len(client_kinds.sent) == 1


async def test_wrapping_twice_records_each_call_once(kind, recorder):
    client = llm_observe.wrap(llm_observe.wrap(kind()))
    await ask(client)
    await ask(llm_observe.wrap(copy.copy(client)))
    assert len(recorder.calls) == 2


async def test_unwrapping_restores_the_client(kind, recorder):
    plain, client = kind(), kind()
    assert llm_observe.unwrap(llm_observe.wrap(client)) is client
    llm_observe.unwrap(client)
    await ask(client)
    await ask(plain)
    assert recorder.calls == []
    assert type(client) is type(plain)
    assert vars(client).keys() == vars(plain).keys()
    await ask(llm_observe.wrap(client))
    assert len(recorder.calls) == 1


@pytest.mark.parametrize("unwrapped", ["the copy", "the first"])
async def test_unwrapping_one_copy_keeps_the_other_recorded(kind, recorder, unwrapped):
    client = llm_observe.wrap(kind())
    other = shallow(kind, client)
    gone, left = (other, client) if unwrapped == "the copy" else (client, other)
    llm_observe.unwrap(gone)
    if kind.is_gemini and hasattr(client, "aio"):
        assert gone.aio is left.aio  # copies share this object, so it is unwrapped for both
    await ask(gone)
    assert recorder.calls == []
    await ask(left)
    assert len(recorder.calls) == 1


async def test_copies_keep_the_credential_provider(recorder):
    """Anthropic passes a credential provider to copies only if the client is exactly of one of its types."""
    seen = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("authorization"))
        return client_kinds.answer(request)

    def provide(**_options: Any) -> anthropic.AccessToken:
        return anthropic.AccessToken(token=SECOND)

    http_client = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = anthropic.Anthropic(
        credentials=provide, http_client=http_client, base_url="http://first.invalid"
    )
    for copied in (client.copy(), llm_observe.wrap(client).copy(), client.with_options(timeout=5)):
        await ask(copied)
    assert seen == [f"Bearer {SECOND}"] * 3
    assert len(recorder.calls) == 2


def test_a_method_patched_after_wrapping_is_called(recorder, monkeypatch):
    client, wire = make_client(COMPLETION)
    monkeypatch.setattr("openai._base_client.SyncAPIClient.request", lambda *_args, **_options: "patched")
    assert client.post("/other", cast_to=object, body={}) == "patched"
    assert wire.bodies == []
