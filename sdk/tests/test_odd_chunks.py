"""LLMClient returns encodable text and fields of the declared types, whatever the server sends."""

from __future__ import annotations

import pytest
from llm_observe._call import Call, PendingCall
from llm_observe._client import ChatStream
from llm_observe.ids import uuid7

CHUNKS = [
    (["a", "b"], ["a", "b"]),
    (["é", "日本"], ["é", "日本"]),
    (["a ", "\ud83d", "\ude00", " b"], ["a ", "😀", " b"]),
    (["a\ud83d", "\ude00b"], ["a", "😀b"]),
    (["\ud83d", "\ude00"], ["😀"]),
    (["\ud83d", "b"], ["\ufffdb"]),
    (["\ude00", "b"], ["\ufffd", "b"]),
    (["a", "\ud83d"], ["a", "\ufffd"]),
    (["\ud83d\ude00"], ["😀"]),
    (["a", ["x"], "b"], ["a", "x", "b"]),
    ([[{"type": "text", "text": "x"}], [{"type": "image"}], "b"], ["x", "b"]),
    (["a", 7], ["a", "7"]),
]


def pending_call() -> PendingCall:
    return PendingCall(uuid7())


@pytest.mark.parametrize(("chunks", "texts"), CHUNKS)
def test_chunks_become_text(chunks, texts):
    answer = ChatStream(iter(chunks), pending_call())
    assert list(answer) == texts
    assert answer.result().text == "".join(texts)
    assert list(answer) == []


@pytest.mark.parametrize(("chunks", "texts"), CHUNKS)
async def test_asynchronous_chunks_become_text(chunks, texts):
    async def async_chunks():
        for chunk in chunks:
            yield chunk

    answer = ChatStream(async_chunks(), pending_call())
    assert [text async for text in answer] == texts
    assert answer.result().text == "".join(texts)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("finish_reason", {"type": "stop"}, '{"type": "stop"}'),
        ("finish_reason", None, ""),
        ("finish_reason", "st\ud800op", "st\ufffdop"),
        ("model", 7, "7"),
        ("model", "m\ud800", "m\ufffd"),
        ("model", None, "requested"),
        *((f"{kind}_tokens", 12.0, 12) for kind in ("input", "output", "total")),
        ("input_tokens", 12.5, None),
        ("input_tokens", "12", 12),
        ("input_tokens", 2**64, None),
        ("input_tokens", object(), None),
    ],
)
def test_result_fields_have_their_declared_types(name, value, expected):
    pending = pending_call()
    with pending:
        call = Call("openai", "chat", "requested", lambda _: None)
    setattr(call, "response_model" if name == "model" else name, value)
    converted = getattr(ChatStream(iter(()), pending).result(), name)
    assert (type(converted), converted) == (type(expected), expected)
