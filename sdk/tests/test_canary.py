"""A secret planted wherever text can be never leaves the process."""

from __future__ import annotations

import logging

import httpx2
import llm_observe
import openai
import pytest
from llm_observe.v1.log_pb2 import Log

CANARY = "sk-" + "proj-" + "cAn4rY" * 6
TEXT = f"please use {CANARY} and bob@example.com"


def answer(request: httpx2.Request) -> httpx2.Response:
    """Echo the secret in every field of the answer, or in an error."""
    if b"fail" in request.content:
        return httpx2.Response(401, json={"error": {"message": TEXT, "code": CANARY, "type": CANARY}})
    tool = {
        "id": "t",
        "type": "function",
        "function": {"name": CANARY, "arguments": f'{{"key": "{CANARY}"}}'},
    }
    message = {"role": "assistant", "content": TEXT, "tool_calls": [tool]}
    return httpx2.Response(
        200,
        headers={"x-request-id": CANARY},
        json={
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": CANARY,
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        },
    )


def everything_leaves_no_trace(logs: list[Log]) -> None:
    for log in logs:
        sent = log.SerializeToString()
        assert CANARY.encode() not in sent
        assert CANARY[-12:].encode() not in sent
        assert b"bob@" not in sent


@pytest.mark.parametrize("word", ["hello", "fail"])
def test_through_a_wrapped_client(recorder, caplog, word):
    caplog.set_level(logging.DEBUG, logger="llm_observe")
    transport = httpx2.MockTransport(answer)
    client = openai.OpenAI(api_key="k", max_retries=0, http_client=httpx2.Client(transport=transport))
    llm_observe.wrap(client)
    context = llm_observe.session(
        f"session {CANARY}",
        user_id=TEXT,
        conversation_id=CANARY,
        tags=[CANARY, TEXT],
        metadata={"note": TEXT, f"key {CANARY}": "x"},
    )
    with context:
        try:
            client.chat.completions.create(
                model=f"model {CANARY}", messages=[{"role": "user", "content": f"{word} {TEXT}"}]
            )
        except openai.AuthenticationError:
            assert word == "fail"
    everything_leaves_no_trace([recorder.only])
    assert CANARY not in caplog.text


def test_through_log(recorder):
    llm_observe.log(
        provider=CANARY.lower(),
        model=TEXT,
        operation=CANARY,
        input_text=TEXT,
        output_text=TEXT,
        outcome="error",
        error_code=CANARY,
        error_message=TEXT,
        finish_reason=CANARY,
        metadata={"note": TEXT},
    )
    everything_leaves_no_trace([recorder.only])
    assert CANARY.lower().encode() not in recorder.only.SerializeToString()


@pytest.mark.parametrize("padding", range(440, 520, 7))
def test_at_every_cut(recorder, padding):
    llm_observe.log(provider="p", model="m", input_text="x" * padding + " " + TEXT)
    everything_leaves_no_trace([recorder.only])
    assert "sk-proj" not in recorder.only.input_preview
