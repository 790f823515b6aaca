"""WebSockets: each response is one log, however it ends and whichever side of the client reads it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import llm_observe
import openai
import pytest
from google import genai
from google.genai import live
from google.genai.types import HttpOptions
from llm_observe._stream_ends import end_open_calls
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS
from log_assertions import known
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

pytestmark = pytest.mark.filterwarnings(
    # OpenAI's client does so.
    "ignore:connect\\(\\) must be used as a context manager:DeprecationWarning"
)
COUNTS = ("input_token_count", "output_token_count", "total_token_count", "audio_output_token_count")
Event = dict[str, Any]
SOUND = "UklG" * 3_000


@contextmanager
def serving(play: Callable[[ServerConnection], None]) -> Iterator[str]:
    """Serve one script to every connection; yield its URL."""
    with serve(play, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def answering(*scripts: list[Event], first: list[Event] | None = None, asks: str = "response.create") -> Any:
    """Return a server that answers each question with the next script."""

    def play(socket: ServerConnection) -> None:
        for event in first or ():
            socket.send(json.dumps(event))
        left = list(scripts)
        for message in socket:
            if asks in str(message) and left:
                for event in left.pop(0):
                    socket.send(json.dumps(event))
            if asks in str(message) and not left:
                return  # closes the connection

    return play


REALTIME_USAGE = {
    "total_tokens": 16,
    "input_tokens": 11,
    "output_tokens": 5,
    "input_token_details": {"cached_tokens": 4, "audio_tokens": 3},
    "output_token_details": {"audio_tokens": 2},
}


def realtime(number: int, status: str = "completed", **details: Any) -> list[Event]:
    """Return the events of one Realtime response."""
    identity = f"resp_{number}"
    item = {
        "type": "message",
        "content": [{"type": "output_audio", "transcript": f"all is well {number}"}],
    }
    done = {"id": identity, "status": status, "output": [item], "usage": REALTIME_USAGE, **details}
    return [
        {"type": "response.created", "response": {"id": identity, "status": "in_progress"}},
        {"type": "response.output_audio.delta", "response_id": identity, "delta": SOUND},
        {"type": "response.done", "response": done},
    ]


def response(number: int, status: str = "completed", **fields: Any) -> list[Event]:
    """Return the events of one of the Responses API."""
    body: Event = {"id": f"resp_{number}", "object": "response", "model": "m-1", "output": [], "usage": None}
    usage = {"input_tokens": 11, "output_tokens": 5, "total_tokens": 16}
    last = {**body, "status": status, "usage": usage, **fields}
    return [
        {"type": "response.created", "sequence_number": 0, "response": {**body, "status": "in_progress"}},
        {"type": "response.output_text.delta", "sequence_number": 1, "delta": f"all is well {number}"},
        {"type": f"response.{status}", "sequence_number": 2, "response": last},
    ]


SESSION = [{"type": "session.created", "session": {"model": "gpt-realtime"}}]
HELLO = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "what is up?"}]}
ASK_REALTIME: list[Event] = [
    {"type": "conversation.item.create", "item": HELLO},
    {"type": "response.create"},
]
ASK_RESPONSES: list[Event] = [{"type": "response.create", "model": "m", "input": "what is up?"}]
CONNECTIONS: dict[str, tuple[Callable[[Any], Any], Callable[..., list[Event]], list[Event], str]] = {
    "realtime": (
        lambda client: client.realtime.connect(model="gpt-realtime"),
        realtime,
        ASK_REALTIME,
        "gpt-realtime",
    ),
    "responses": (lambda client: client.responses.connect(), response, ASK_RESPONSES, "m"),
    "beta.responses": (lambda client: client.beta.responses.connect(), response, ASK_RESPONSES, "m"),
}


def make(kind: Any, url: str) -> Any:
    return llm_observe.wrap(kind(api_key="k", base_url=url.replace("ws", "http"), websocket_base_url=url))


LAST = {"response.done", "response.completed", "response.failed", "error"}


def converse(url: str, connect: Any, questions: list[list[Event]], *, asynchronous: bool) -> None:
    """Ask each question and read until the answer has ended, or the server closes the connection."""
    with suppress(ConnectionClosed):
        if asynchronous:
            asyncio.run(_aconverse(connect(make(openai.AsyncOpenAI, url)), questions))
        else:
            _converse(connect(make(openai.OpenAI, url)), questions)


def _converse(manager: Any, questions: list[list[Event]]) -> None:
    with manager as connection:
        for question in questions:
            for event in question:
                connection.send(event)
            while connection.recv().type not in LAST:
                pass


async def _aconverse(manager: Any, questions: list[list[Event]]) -> None:
    async with manager as connection:
        for question in questions:
            for event in question:
                await connection.send(event)
            while (await connection.recv()).type not in LAST:
                pass


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("name", CONNECTIONS)
def test_each_response_is_one_log(recorder, name, asynchronous):
    connect, script, question, model = CONNECTIONS[name]
    first = SESSION if script is realtime else None
    with serving(answering(script(1), script(2), first=first)) as url:
        converse(url, connect, [question, question], asynchronous=asynchronous)
    logs = recorder.logs
    assert [(log.outcome, log.model, log.input_preview, log.output_preview) for log in logs] == [
        (OUTCOME_SUCCESS, model, "what is up?", f"all is well {number}") for number in (1, 2)
    ]
    assert [known(log, *COUNTS)[:3] for log in logs] == [(11, 5, 16)] * 2
    assert {(log.streamed, log.HasField("time_to_first_token"), log.finish_reason) for log in logs} == {
        (True, True, "completed")
    }
    assert {log.server_address for log in logs} == {"[IP_ADDRESS]"}
    assert [log.provider_response_id for log in logs] == ["resp_1", "resp_2"]


FAILED = {"type": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow down"}}
TURN = {"type": "cancelled", "reason": "turn_detected"}
ENDINGS: dict[str, tuple[str, list[Event], int, str]] = {
    "failed": (
        "realtime",
        realtime(1, "failed", status_details=FAILED),
        OUTCOME_ERROR,
        "rate_limit_exceeded",
    ),
    "interrupted": ("realtime", realtime(1, "cancelled", status_details=TURN), OUTCOME_CANCELLED, ""),
    "closed by the server": ("realtime", realtime(1)[:2], OUTCOME_ERROR, "stream_incomplete"),
    "refused": ("realtime", [{"type": "error", "error": {"code": "bad_event"}}], OUTCOME_ERROR, "bad_event"),
    "response failed": (
        "responses",
        response(1, "failed", error={"code": "server_error", "message": "no"}),
        OUTCOME_ERROR,
        "server_error",
    ),
    "response refused": (
        "responses",
        [*response(1)[:2], {"type": "error", "error": {"code": "too_long"}}],
        OUTCOME_ERROR,
        "too_long",
    ),
}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("ending", ENDINGS)
def test_endings(recorder, ending, asynchronous):
    name, events, outcome, code = ENDINGS[ending]
    connect, _, question, _ = CONNECTIONS[name]
    with serving(answering(events)) as url:
        converse(url, connect, [question], asynchronous=asynchronous)
    assert (recorder.only.outcome, recorder.only.error_code) == (outcome, code)


def on_lane(lane: str, events: list[Event]) -> list[Event]:
    return [{**event, "stream_id": lane} for event in events]


A, B = on_lane("a", response(1)), on_lane("b", response(2))
REFUSED = on_lane("b", [{"type": "error", "error": {"code": "too_long"}}])
LANES: dict[str, tuple[list[Event], str]] = {
    "in order": ([*A, *B], ""),
    "in reverse": ([*B, *A], ""),
    "at once": ([B[0], A[0], A[1], B[1], B[2], A[2]], ""),
    "one refused": ([*REFUSED, *A], "too_long"),
}


@pytest.mark.parametrize("order", LANES)
def test_answers_on_several_lanes_belong_to_their_questions(recorder, order):
    events, code = LANES[order]
    with serving(answering([], events)) as url, make(openai.OpenAI, url).responses.connect() as connection:
        for lane in "ab":
            (question,) = on_lane(lane, [{"type": "response.create", "model": lane, "input": f"ask {lane}"}])
            connection.send(question)
        for _ in events:
            connection.recv()
    logs = sorted((log.model, log.input_preview, log.output_preview, log.error_code) for log in recorder.logs)
    answer = "" if code else "all is well 2"
    assert logs == [("a", "ask a", "all is well 1", ""), ("b", "ask b", answer, code)]


@pytest.mark.parametrize("how", ["close", "leave open", "drop"])
def test_an_answer_that_the_application_leaves_is_cancelled(recorder, how):
    connect, _, question, _ = CONNECTIONS["realtime"]
    with serving(answering(realtime(1)[:2], [], asks="response.create")) as url:
        connection = connect(make(openai.OpenAI, url)).enter()
        for event in question:
            connection.send(event)
        connection.recv()
        if how == "close":
            connection.close()
        else:
            end_open_calls()  # as at exit
            connection.close()
    assert recorder.only.outcome == OUTCOME_CANCELLED


def test_a_message_read_as_bytes_is_recorded(recorder):
    connect, _, question, _ = CONNECTIONS["responses"]
    with serving(answering(response(1))) as url, connect(make(openai.OpenAI, url)) as connection:
        for event in question:
            connection.send(event)
        while b"response.completed" not in connection.recv_bytes():
            pass
    assert recorder.only.outcome == OUTCOME_SUCCESS


def test_a_client_that_is_not_recorded_any_more(recorder):
    connect, _, question, _ = CONNECTIONS["responses"]
    with serving(answering(response(1))) as url:
        converse(url, lambda client: connect(llm_observe.unwrap(client)), [question], asynchronous=False)
    assert not recorder.calls


@pytest.mark.parametrize("name", CONNECTIONS)
def test_every_client_of_the_process(recorder, name):
    connect, script, question, _ = CONNECTIONS[name]

    def instrumented(client: Any) -> Any:
        llm_observe.instrument()
        return connect(llm_observe.unwrap(client))

    with serving(answering(script(1), script(2))) as url:
        converse(url, instrumented, [question], asynchronous=False)
        llm_observe.uninstrument()
        converse(url, lambda client: connect(llm_observe.unwrap(client)), [question], asynchronous=False)
    assert recorder.only.output_preview == "all is well 1"


def test_what_a_client_made_before_it_was_wrapped(recorder):
    connect, _, question, _ = CONNECTIONS["beta.responses"]

    def late(client: Any) -> Any:
        plain = llm_observe.unwrap(client)
        plain.beta.responses  # noqa: B018 - makes it
        return connect(llm_observe.wrap(plain))

    with serving(answering(response(1))) as url:
        converse(url, late, [question], asynchronous=False)
    assert recorder.only.output_preview == "all is well 1"


def test_speech_that_nobody_asked_for_by_a_message(recorder):
    """The server answers when it hears that the user has finished."""
    said = {"type": "conversation.item.input_audio_transcription.completed", "transcript": "what is up?"}
    heard = {"type": "input_audio_buffer.append", "audio": SOUND}
    with serving(answering([*realtime(1)[:2], said, realtime(1)[2]], first=SESSION, asks="append")) as url:
        converse(url, CONNECTIONS["realtime"][0], [[heard]], asynchronous=False)
    assert (recorder.only.input_preview, recorder.only.output_preview) == ("what is up?", "all is well 1")


GEMINI_USAGE = {
    "promptTokenCount": 11,
    "responseTokenCount": 3,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 16,
    "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 3}],
}


def turn(text: str) -> list[Event]:
    return [
        {
            "serverContent": {
                "modelTurn": {"parts": [{"inlineData": {"data": SOUND, "mimeType": "audio/pcm"}}]}
            }
        },
        {"serverContent": {"outputTranscription": {"text": text}}},
        {"serverContent": {"turnComplete": True}, "usageMetadata": GEMINI_USAGE},
    ]


CALL = {
    "toolCall": {"functionCalls": [{"id": "1", "name": "now", "args": {"zone": "UTC"}}]},
    "usageMetadata": GEMINI_USAGE,
}
CUT = {"serverContent": {"interrupted": True}}
TURNS: dict[str, tuple[list[list[Event]], list[tuple[int, str, str]]]] = {
    "complete": ([turn("all is well")], [(OUTCOME_SUCCESS, "turn_complete", "all is well")]),
    "two": (
        [turn("one"), turn("two")],
        [(OUTCOME_SUCCESS, "turn_complete", text) for text in ("one", "two")],
    ),
    "a tool": ([[CALL]], [(OUTCOME_SUCCESS, "tool_call", '[tool call] now {"zone": "UTC"}')]),
    "interrupted": ([[*turn("all is")[:2], CUT]], [(OUTCOME_CANCELLED, "interrupted", "all is")]),
    "cut": ([turn("all is")[:2]], [(OUTCOME_ERROR, "", "all is")]),
}


@pytest.mark.parametrize("what", TURNS)
async def test_geminis_live(recorder, monkeypatch, what):
    scripts, expected = TURNS[what]
    connect = live.ws_connect  # type: ignore[attr-defined] # what the package calls
    monkeypatch.setattr(
        live, "ws_connect", lambda url, **_options: connect(url.replace("wss:", "ws:"))
    )  # it takes no other

    def play(socket: ServerConnection) -> None:
        socket.recv()  # the setup
        socket.send(json.dumps({"setupComplete": {}}))
        answering(*scripts, asks="client_content")(socket)

    with serving(play) as url:
        client = genai.Client(api_key="k", http_options=HttpOptions(base_url=url))
        llm_observe.wrap(client)
        content: Any = {"role": "user", "parts": [{"text": "what is up?"}]}
        async with client.aio.live.connect(model="gemini-live") as session:
            for _ in scripts:
                await session.send_client_content(turns=content, turn_complete=True)
                try:
                    async for message in session.receive():
                        if message.tool_call or (
                            message.server_content and message.server_content.interrupted
                        ):
                            break
                except genai.errors.APIError:
                    break
    logs = recorder.logs
    assert [(log.outcome, log.finish_reason, log.output_preview) for log in logs] == expected
    assert {(log.provider, log.model, log.input_preview) for log in logs} == {
        ("gemini", "gemini-live", "what is up?")
    }
    if logs[0].finish_reason in {"turn_complete", "tool_call"}:
        assert {known(log, *COUNTS) for log in logs} == {(11, 5, 16, 3)}
