"""A secret planted in any text never leaves the process."""

from __future__ import annotations

import logging
from typing import Any

import httpx2
import llm_observe
import openai
import pytest
from collector import start
from llm_observe.v1.log_pb2 import Log
from vendor_wire import Anthropic, Gemini, OpenAI

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


def assert_no_secret(logs: list[Log]) -> None:
    for log in logs:
        sent = log.SerializeToString()
        assert CANARY.encode() not in sent
        assert CANARY[-12:].encode() not in sent
        assert b"bob@" not in sent


@pytest.mark.parametrize("word", ["hello", "fail"])
def test_a_wrapped_client_leaks_no_secret(recorder, caplog, word):
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
    assert_no_secret([recorder.only])
    assert CANARY not in caplog.text


@pytest.mark.parametrize("vendor_class", [OpenAI, Anthropic, Gemini])
@pytest.mark.parametrize("ending", ["success", "stream", "error"])
def test_answers_of_every_vendor_leak_no_secret(recorder, vendor_class, ending):
    """The secret replaces every string of an answer, a stream or an error that the protocol does not need."""
    vendor = vendor_class()
    wire = vendor.wire
    wire.whole, wire.events, wire.error = poison(wire.whole), poison(wire.events), poison(wire.error)
    wire.ending = "error" if ending == "error" else "success"
    vendor.model = f"model {CANARY}"
    with llm_observe.session(f"session {CANARY}", user_id=TEXT, metadata={"note": TEXT}):
        try:
            list(vendor.stream()) if ending == "stream" else vendor.ask(vendor.client)
        except vendor.error:
            assert ending == "error"
    assert recorder.only.error_message if ending == "error" else recorder.only.output_preview
    assert_no_secret([recorder.only])


def poison(body: Any) -> Any:
    """Put the secret into every string of a body that is content, not protocol."""
    if isinstance(body, dict):
        text_keys = {
            "text",
            "content",
            "message",
            "model",
            "modelVersion",
            "responseId",
            "id",
            "code",
            "name",
        }
        return {
            key: TEXT if key in text_keys and isinstance(value, str) else poison(value)
            for key, value in body.items()
        }
    return [poison(part) for part in body] if isinstance(body, list) else body


def test_tool_calls_leak_no_secret(recorder):
    arguments = {"key": CANARY, "mail": TEXT}
    anthropic, gemini = Anthropic(), Gemini()
    anthropic.wire.whole["content"] = [{"type": "tool_use", "id": "t", "name": CANARY, "input": arguments}]
    gemini.wire.whole["candidates"][0]["content"]["parts"] = [
        {"functionCall": {"name": CANARY, "args": arguments}}
    ]
    anthropic.ask(anthropic.client)
    gemini.ask(gemini.client)
    assert all("[tool call]" in log.output_preview for log in recorder.logs)
    assert_no_secret(recorder.logs)


def test_a_decorated_function_leaks_no_secret(recorder):
    @llm_observe.observe(provider="mine", model=CANARY)
    def ask(question: str) -> str:
        raise ValueError(question)

    with pytest.raises(ValueError, match="please"):
        ask(TEXT)
    assert_no_secret([recorder.only])


def test_the_spool_and_the_output_hold_no_secret(tmp_path):
    code = (
        f"secret = {CANARY[:8]!r} + {CANARY[8:]!r}\n"
        "import logging, pathlib, time; logging.basicConfig(level=logging.DEBUG)\n"
        "llm_observe.log(provider='p', model=secret, input_text=secret, error_message=secret)\n"
        f"while not list(pathlib.Path({str(tmp_path)!r}).glob('*/*.batch')): time.sleep(0.01)\n"
    )
    process = start(code, "127.0.0.1:9", spool_dir=str(tmp_path), exit_timeout_s="0.3")
    output = "".join(process.communicate(timeout=600))
    spooled = b"".join(path.read_bytes() for path in tmp_path.glob("*/*.batch"))
    assert b"[API_KEY]" in spooled
    assert CANARY.encode() not in spooled
    assert CANARY not in output


def test_log_leaks_no_secret(recorder):
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
    assert_no_secret([recorder.only])
    assert CANARY.lower().encode() not in recorder.only.SerializeToString()


@pytest.mark.parametrize("padding", range(440, 520, 7))
def test_truncation_leaks_no_part_of_a_secret(recorder, padding):
    llm_observe.log(provider="p", model="m", input_text="x" * padding + " " + TEXT)
    assert_no_secret([recorder.only])
    assert "sk-proj" not in recorder.only.input_preview
