"""Content never leaves without capture_content, and values named as secrets never leave at all."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import httpx2
import llm_observe
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_observe._redaction.names import is_secret_name
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS, Log
from odd import recording
from openai_wire import QUESTION, completion, make_client
from pydantic import BaseModel
from vendor_wire import Anthropic, Gemini, OpenAI

CONTENT = "patient Doe has diabetes"
VENDORS = (OpenAI, Anthropic, Gemini)
SECRET = "correct-horse-" + "battery"
observe = llm_observe.observe(provider="mine", model="m1")


def with_content(body: Any) -> Any:
    """Put the content into every text of a body."""
    if isinstance(body, dict):
        text_keys = {"text", "content", "message"}
        return {
            key: CONTENT if key in text_keys and isinstance(value, str) else with_content(value)
            for key, value in body.items()
        }
    return [with_content(part) for part in body] if isinstance(body, list) else body


@pytest.fixture
def private(recorder) -> Any:
    recorder.capture_content = False
    return recorder


def assert_private(log: Log) -> None:
    assert b"Doe" not in log.SerializeToString()
    assert (log.input_preview, log.output_preview, log.error_message) == ("", "", "")


@pytest.mark.parametrize("vendor_class", VENDORS)
@pytest.mark.parametrize("ending", ["success", "stream", "cut", "error"])
def test_answers_and_errors_stay_private_without_capture(private, vendor_class, ending):
    vendor = vendor_class()
    wire = vendor.wire
    wire.whole, wire.events, wire.error = map(with_content, (wire.whole, wire.events, wire.error))
    wire.ending = "success" if ending == "stream" else ending
    try:
        list(vendor.stream()) if ending in {"stream", "cut"} else vendor.ask(vendor.client)
    except Exception:  # noqa: BLE001 - each vendor has its own
        assert ending in {"cut", "error"}
    log = private.only
    assert_private(log)
    assert log.outcome == (OUTCOME_SUCCESS if ending in {"success", "stream"} else OUTCOME_ERROR)
    if ending == "error":
        assert (log.error_code, log.http_status) == (vendor.error_code, 429)


def test_an_unparsable_answer_is_not_quoted(private):
    class Weather(BaseModel):
        degrees: int

    client, _ = make_client(completion({"content": json.dumps({"degrees": CONTENT})}))
    with pytest.raises(ValueError, match="Doe"):
        client.chat.completions.parse(model="m", messages=QUESTION, response_format=Weather)
    assert_private(private.only)
    assert private.only.error_code == "ValidationError"


@pytest.mark.parametrize("code", [CONTENT, {"quoted": CONTENT}, [CONTENT], None])
def test_an_error_code_with_content_is_dropped(private, code):
    error = {"error": {"message": CONTENT, "code": code, "type": CONTENT}}
    client, _ = make_client(lambda _: httpx2.Response(400, json=error))
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="m", messages=QUESTION)
    assert_private(private.only)
    assert (private.only.error_code, private.only.http_status) == ("BadRequestError", 400)


def test_log_and_observe_quote_no_content_without_capture(private):
    @observe
    def ask(question: str) -> str:
        raise ValueError(question)

    with pytest.raises(ValueError, match="Doe"):
        ask(CONTENT)
    llm_observe.log(
        provider="p",
        model="m",
        input_text=CONTENT,
        output_text=CONTENT,
        outcome="error",
        error_message=RuntimeError(CONTENT),
    )
    for log, code in zip(private.logs, ("ValueError", "RuntimeError"), strict=True):
        assert_private(log)
        assert (log.outcome, log.error_code) == (OUTCOME_ERROR, code)


def test_a_failed_response_is_not_quoted(private):
    error = {"code": "server_error", "message": CONTENT}
    answer = {"id": "r", "object": "response", "model": "m", "status": "failed", "error": error, "output": []}
    client, _ = make_client(answer)
    client.responses.create(model="m", input=CONTENT)
    assert_private(private.only)
    assert private.only.error_code == "server_error"


SECRET_NAMES = (
    "password", "passwd", "pwd", "passphrase", "passcode", "db_password", "DB_PASS", "dbPass", "secret",
    "client_secret", "clientSecret", "token", "access_token", "accessToken", "refreshToken",
    "oauth_token", "api_key", "apiKey", "APIKEY", "API_KEY", "x-api-key", "openai_api_key", "key",
    "private_key", "sshKey", "api_keys", "auth", "authorization", "Authorization", "basic_auth",
    "http.auth", "credentials", "credential", "signature", "sig", "pat", "github_pat", "jwt", "bearer",
    "cookie", "Set-Cookie", "csrf", "otp", "pin", "dsn", "_password", "__token", "creds",
)  # fmt: skip
OTHER_NAMES = (
    "question", "prompt", "messages", "text", "content", "passage", "passages", "patient", "path",
    "pattern", "author", "authors", "design", "signal", "keyword", "keywords", "keyboard", "max_tokens",
    "tokens", "keys", "prompt_tokens", "input_tokens", "total_tokens", "tokenizer", "args", "kwargs",
    "a", "temperature", "model", "user_id", "session_id", "spinning",
)  # fmt: skip


def test_secret_names_are_recognised():
    assert [name for name in SECRET_NAMES if not is_secret_name(name)] == []


def test_other_names_are_not_secret():
    assert [name for name in OTHER_NAMES if is_secret_name(name)] == []


@dataclass
class Connection:
    """An object whose repr contains a password."""

    password: str = SECRET


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_an_argument_named_as_a_secret_is_never_shown(recorder, name):
    @observe
    def ask(question: str, **_more: Any) -> str:
        return question

    ask("hi", **{name: SECRET})
    ask("hi", **{name: [SECRET]})
    ask("hi", settings={"a": [{name: SECRET}, {name: {"b": SECRET}}, {"c": 1}]})
    for log in recorder.logs:
        assert SECRET.encode() not in log.SerializeToString()
        assert log.input_preview.startswith("hi")


async def test_positional_arguments_are_named_by_their_parameters(recorder):
    class Service:
        @observe
        def ask(self, question: str, password: str, *api_keys: str) -> str:
            return question

    @observe
    async def aask(password: str, /, question: str) -> str:
        return question

    Service().ask("hi", SECRET, SECRET, SECRET)
    await aask(SECRET, "hi")
    assert [log.input_preview for log in recorder.logs] == ["hi", "hi"]


def test_objects_are_shown_by_their_type_only(recorder):
    @observe
    def ask(connection: Any, question: str, *, more: Any, raw: bytes) -> str:
        return question

    ask(Connection(), "hi", more={"to": [Connection(), SECRET.encode(), 1, None, True]}, raw=SECRET.encode())
    assert recorder.only.input_preview == 'hi\n{"to": ["<Connection>", "<bytes>", 1, null, true]}'


def test_the_newest_user_message_is_shown(recorder):
    @observe
    def ask(messages: Any) -> str:
        return "fine"

    ask([{"role": "user", "content": "old"}, {"role": "assistant", "content": "a"}, *QUESTION])
    assert recorder.only.input_preview == "what is up?"


def test_functions_without_a_signature_show_only_named_arguments(recorder):
    observe(min)(SECRET)
    observe(dict)(question="hi", password=SECRET)
    assert [log.input_preview for log in recorder.logs] == ["", "hi"]


def test_previews_of_arguments_are_bounded(recorder):
    @observe
    def ask(**_all: Any) -> str:
        return "fine"

    circle: list[Any] = []
    circle.append(circle)
    ask(numbers=list(range(10**6)), texts=["x" * 10**6] * 3, circle=circle, ordered=OrderedDict(a="b"))
    (call,) = recorder.calls
    assert sum(map(len, call.input_text)) < 50_000


@given(
    st.recursive(
        st.just(SECRET) | st.integers() | st.builds(Connection),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(SECRET_NAMES), inner, max_size=3)
            | st.dictionaries(st.sampled_from(("a", "question")), st.integers() | st.lists(inner, max_size=2))
        ),
        max_leaves=8,
    ).filter(lambda value: isinstance(value, dict))
)
@settings(derandomize=True, deadline=None)
def test_secrets_are_found_by_their_keys_at_every_depth(value: Any):
    def without(part: Any, *, named: bool = False) -> Any:
        """Return the part with texts only under keys that name secrets."""
        if isinstance(part, dict):
            return {key: without(each, named=named or is_secret_name(key)) for key, each in part.items()}
        if isinstance(part, list):
            return [without(each, named=named) for each in part]
        return part if named or not isinstance(part, str) else "shown"

    with recording() as recorder:
        observe(lambda **_all: "fine")(question=without(value))
    assert SECRET.encode() not in recorder.only.SerializeToString()


def test_a_cancelled_stream_is_private(private):
    vendor = OpenAI()
    vendor.wire.events = with_content(vendor.wire.events)
    vendor.stream().close()
    assert_private(private.only)
    assert private.only.outcome == OUTCOME_CANCELLED


def error_with(name: str = "VendorError", **attributes: Any) -> Exception:
    error: Exception = type(name, (Exception,), {})()
    vars(error).update(attributes)
    return error


SENTENCES = (CONTENT, "\u75c5\u4eba Doe".replace(" ", ""), "x" * 65 + "Doe", "Doe\n")


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("place", ["code", "type", "request_id", "message", "name"])
def test_no_part_of_an_error_quotes_content_without_capture(private, place, sentence):
    @observe
    def ask() -> None:
        raise error_with(**{place: sentence})

    with pytest.raises(Exception):  # noqa: B017, PT011 - a class of its own
        ask()
    assert_private(private.only)
    assert private.only.error_code == ("error" if place == "name" else "VendorError")


def test_an_errors_code_and_request_id_are_kept(private):
    @observe
    def ask() -> None:
        raise error_with(code="rate_limit", request_id="req_1-a:2")

    with pytest.raises(Exception):  # noqa: B017, PT011 - a class of its own
        ask()
    assert (private.only.error_code, private.only.provider_request_id) == ("rate_limit", "req_1-a:2")
