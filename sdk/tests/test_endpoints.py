"""Every endpoint that runs a model is recorded: what it says of usage, text and outcome."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import Any

import anthropic
import httpx2
import llm_observe
import openai
import pytest
from google import genai
from google.genai.types import HttpOptions
from google.oauth2.credentials import Credentials
from llm_observe._background import take_all
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS
from log_assertions import known
from openai_wire import COMPLETION, sse
from vendor_wire import ANTHROPIC_MESSAGE, gemini_chunk

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # endpoints that will be shut down
COUNTS = ("input_token_count", "output_token_count", "total_token_count")
USAGE = {"input_tokens": 11, "output_tokens": 5, "total_tokens": 16}
AUDIO = {**USAGE, "type": "tokens", "input_token_details": {"audio_tokens": 10, "text_tokens": 1}}
FILE = ("a.wav", b"xx")
QUESTION = [{"role": "user", "content": "hi"}]


def response(status: str = "completed", **members: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": "all is well", "annotations": []}
    item = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
    whole = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m-1", "status": status}
    return {**whole, "output": [item], "parallel_tool_calls": True, "tools": [], **members}


def reply(answer: Any) -> httpx2.Response:
    if isinstance(answer, httpx2.Response):
        return answer
    if isinstance(answer, bytes):
        return httpx2.Response(200, content=answer)
    return httpx2.Response(200, json=answer)


def play(*answers: Any) -> Any:
    """Return a transport with one answer after another."""
    left = list(answers)
    return httpx2.MockTransport(lambda _: reply(left.pop(0)))


def make(*answers: Any, kind: Any = openai.OpenAI, **options: Any) -> Any:
    http = httpx2.Client(transport=play(*answers))
    return llm_observe.wrap(kind(api_key="k", http_client=http, max_retries=0, **options))


def make_async(*answers: Any, kind: Any = openai.AsyncOpenAI) -> Any:
    http = httpx2.AsyncClient(transport=play(*answers))
    return llm_observe.wrap(kind(api_key="k", http_client=http, max_retries=0))


IMAGE = {"created": 1, "data": [{"b64_json": "aGk="}], "usage": USAGE}
COMPACTION = {"id": "r1", "object": "response.compaction", "created_at": 1, "output": [], "usage": USAGE}
DECISION = {"model": "m-1", "answers": [], "usage": USAGE}
MODERATION = {"id": "m1", "model": "omni-1", "results": []}
RUN = {
    "id": "run_1",
    "object": "thread.run",
    "status": "completed",
    "model": "gpt-4",
    "usage": {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16},
}
COUNTED, UNCOUNTED = (11, 5, 16), (None, None, None)
PLAIN: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    # endpoint: answer, request, (operation, model, input, output, counts)
    "images.generate": (
        IMAGE,
        lambda client: client.images.generate(model="gpt-image-1", prompt="a cat"),
        ("image_generation", "gpt-image-1", "a cat", "", COUNTED),
    ),
    "images.edit": (
        IMAGE,
        lambda client: client.images.edit(model="gpt-image-1", prompt="a dog", image=FILE),
        ("image_generation", "gpt-image-1", "a dog", "", COUNTED),
    ),
    "audio.transcriptions": (
        {"text": "all is well", "usage": AUDIO},
        lambda client: client.audio.transcriptions.create(model="gpt-4o-transcribe", file=FILE),
        ("transcription", "gpt-4o-transcribe", "", "all is well", COUNTED),
    ),
    "audio.transcriptions, text": (
        b"all is well",
        lambda client: client.audio.transcriptions.create(
            model="whisper-1", file=FILE, response_format="text"
        ),
        ("transcription", "whisper-1", "", "", UNCOUNTED),
    ),
    "audio.translations": (
        {"text": "all is well"},
        lambda client: client.audio.translations.create(model="whisper-1", file=FILE),
        ("translation", "whisper-1", "", "all is well", UNCOUNTED),
    ),
    "audio.speech": (
        b"mp3",
        lambda client: client.audio.speech.create(model="tts-1", voice="alloy", input="hi"),
        ("speech", "tts-1", "hi", "", UNCOUNTED),
    ),
    "moderations": (
        MODERATION,
        lambda client: client.moderations.create(input=[{"type": "text", "text": "hi"}]),
        ("moderation", "omni-1", "hi", "", UNCOUNTED),
    ),
    "decisions": (
        DECISION,
        lambda client: client.decisions.create(model="m", input="hi", questions=[]),
        ("decision", "m", "hi", "", COUNTED),
    ),
    "responses.compact": (
        COMPACTION,
        lambda client: client.responses.compact(model="m", input="hi"),
        ("compaction", "m", "hi", "", COUNTED),
    ),
    "beta.responses": (
        response(usage=USAGE),
        lambda client: client.beta.responses.create(model="m", input="hi"),
        ("chat", "m", "hi", "all is well", COUNTED),
    ),
    "beta.threads.runs": (
        RUN,
        lambda client: client.beta.threads.runs.create("t1", assistant_id="a", additional_messages=QUESTION),
        ("invoke_agent", "gpt-4", "hi", "", COUNTED),
    ),
}


def facts(log: Any) -> tuple[Any, ...]:
    return (log.operation, log.model, log.input_preview, log.output_preview, known(log, *COUNTS))


@pytest.mark.parametrize("endpoint", PLAIN)
def test_a_complete_answer(recorder, endpoint):
    answer, ask, expected = PLAIN[endpoint]
    ask(make(answer))
    assert facts(recorder.only) == expected
    assert recorder.only.outcome == OUTCOME_SUCCESS


@pytest.mark.parametrize("endpoint", PLAIN)
async def test_a_complete_answer_of_an_asynchronous_client(recorder, endpoint):
    answer, ask, expected = PLAIN[endpoint]
    await ask(make_async(answer))
    assert facts(recorder.only) == expected


@pytest.mark.parametrize("endpoint", PLAIN)
def test_a_refused_request(recorder, endpoint):
    _, ask, _ = PLAIN[endpoint]
    with pytest.raises(openai.RateLimitError):
        ask(make(httpx2.Response(429, json={"error": {"code": "slow_down"}})))
    assert (recorder.only.outcome, recorder.only.error_code) == (OUTCOME_ERROR, "slow_down")


TRANSCRIPT: list[dict[str, Any]] = [
    {"type": "transcript.text.delta", "delta": "all is "},
    {"type": "transcript.text.delta", "delta": "well"},
    {"type": "transcript.text.done", "text": "all is well", "usage": AUDIO},
]
PICTURE: list[dict[str, Any]] = [
    {"type": "image_generation.partial_image", "b64_json": "aGk="},
    {"type": "image_generation.completed", "b64_json": "aGk=", "usage": USAGE},
]
DELTA = {"content": [{"index": 0, "type": "text", "text": {"value": "all is well"}}]}
RUNNING = {**RUN, "status": "in_progress", "usage": None}


def named(*events: tuple[str, dict[str, Any]]) -> httpx2.Response:
    """Return a stream whose events have a name beside their data."""
    lines = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=lines.encode())


STREAMS: dict[str, tuple[Any, Any, str]] = {
    "audio.transcriptions": (
        lambda: sse(TRANSCRIPT),
        lambda client: client.audio.transcriptions.create(model="m", file=FILE, stream=True),
        "all is well",
    ),
    "images.generate": (
        lambda: sse(PICTURE),
        lambda client: client.images.generate(model="m", prompt="a cat", stream=True),
        "",
    ),
    "beta.threads.runs": (
        lambda: named(
            ("thread.run.created", RUNNING),
            ("thread.message.delta", {"id": "1", "object": "thread.message.delta", "delta": DELTA}),
            ("thread.run.completed", RUN),
        ),
        lambda client: client.beta.threads.runs.create("t1", assistant_id="a", stream=True),
        "all is well",
    ),
}


@pytest.mark.parametrize("endpoint", STREAMS)
def test_a_stream(recorder, endpoint):
    answer, ask, text = STREAMS[endpoint]
    list(ask(make(answer())))
    log = recorder.only
    assert (log.outcome, log.output_preview, known(log, *COUNTS)) == (OUTCOME_SUCCESS, text, COUNTED)
    assert log.HasField("time_to_first_token")


@pytest.mark.parametrize("endpoint", ["audio.transcriptions", "images.generate"])
def test_a_stream_that_breaks_off(recorder, endpoint):
    _, ask, _ = STREAMS[endpoint]
    events = (TRANSCRIPT if "audio" in endpoint else PICTURE)[:1]
    list(ask(make(sse(events))))
    assert (recorder.only.outcome, recorder.only.error_code) == (OUTCOME_ERROR, "stream_incomplete")


VIDEO = {"id": "video_1", "object": "video", "model": "sora-2", "status": "queued", "seconds": "4"}
VIDEO_FAILED = {**VIDEO, "status": "failed", "error": {"code": "moderation_blocked", "message": "no"}}
JOBS: dict[str, tuple[Any, Any, list[Any], int, str]] = {
    # begin, ask again, the answers, outcome, error
    "a video": (
        lambda client: client.videos.create(model="sora-2", prompt="a cat"),
        lambda client: client.videos.retrieve("video_1"),
        [VIDEO, {**VIDEO, "status": "in_progress"}, {**VIDEO, "status": "completed"}],
        OUTCOME_SUCCESS,
        "",
    ),
    "a video that fails": (
        lambda client: client.videos.remix("video_0", prompt="a dog"),
        lambda client: client.videos.retrieve("video_1"),
        [VIDEO, VIDEO_FAILED],
        OUTCOME_ERROR,
        "moderation_blocked",
    ),
    "a run that asks for a tool": (
        lambda client: client.beta.threads.runs.create("t1", assistant_id="a"),
        lambda client: client.beta.threads.runs.submit_tool_outputs("run_1", thread_id="t1", tool_outputs=[]),
        [{**RUNNING, "status": "requires_action"}, RUN],
        OUTCOME_SUCCESS,
        "",
    ),
    "a run that expires": (
        lambda client: client.beta.threads.create_and_run(assistant_id="a"),
        lambda client: client.beta.threads.runs.retrieve("run_1", thread_id="t1"),
        [RUNNING, {**RUN, "status": "expired"}],
        OUTCOME_ERROR,
        "expired",
    ),
    "a response in the background": (
        lambda client: client.beta.responses.create(model="m", input="hi", background=True),
        lambda client: client.beta.responses.retrieve("resp_1"),
        [response(status="in_progress", usage=None), response(usage=USAGE)],
        OUTCOME_SUCCESS,
        "",
    ),
    "a response that is cancelled": (
        lambda client: client.responses.create(model="m", input="hi", background=True),
        lambda client: client.responses.cancel("resp_1"),
        [response(status="queued", usage=None), response(status="cancelled", usage=None)],
        OUTCOME_CANCELLED,
        "",
    ),
}


@pytest.mark.parametrize("job", JOBS)
def test_work_that_goes_on_is_one_log_when_it_is_done(recorder, job):
    begin, again, answers, outcome, code = JOBS[job]
    client = make(*answers)
    begin(client)
    for _ in answers[1:]:
        assert not recorder.calls
        again(client)
    assert (recorder.only.outcome, recorder.only.error_code) == (outcome, code)


def test_work_that_nobody_asks_for_again_is_cancelled(recorder):
    make(VIDEO).videos.create(model="sora-2", prompt="a cat")
    for call in take_all():
        call.abandon()
    assert recorder.only.outcome == OUTCOME_CANCELLED


def line(number: int, **result: Any) -> dict[str, Any]:
    return {"id": f"batch_req_{number}", "custom_id": str(number), "error": None, "response": None, **result}


def body(answer: Any, status: int = 200) -> dict[str, Any]:
    return {"status_code": status, "request_id": "r", "body": answer}


OPENAI_LINES = [
    line(1, response=body(COMPLETION)),
    line(2, response=body(response(usage=USAGE))),
    line(3, response=body({"error": {"code": "too_long", "message": "no"}}, 400)),
    line(4, error={"code": "batch_expired", "message": "late"}),
]
OPENAI_FILE = "\n".join(map(json.dumps, OPENAI_LINES)).encode()
FAILED = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
ANTHROPIC_LINES = [
    {"custom_id": "1", "result": {"type": "succeeded", "message": ANTHROPIC_MESSAGE}},
    {"custom_id": "2", "result": {"type": "errored", "error": FAILED}},
    {"custom_id": "3", "result": {"type": "canceled"}},
    {"custom_id": "4", "result": {"type": "expired"}},
]
ANTHROPIC_BATCH = {
    "id": "b1",
    "type": "message_batch",
    "processing_status": "ended",
    "results_url": "https://api.anthropic.com/v1/messages/batches/b1/results",
    "request_counts": {},
    "created_at": "2026-01-01T00:00:00Z",
    "expires_at": "2026-01-01T00:00:00Z",
}


def jsonl(lines: list[Any]) -> httpx2.Response:
    content = "".join(json.dumps(each) + "\n" for each in lines).encode()
    return httpx2.Response(200, headers={"content-type": "application/x-jsonl"}, content=content)


def read_anthropic(beta: str) -> None:
    client = make(ANTHROPIC_BATCH, jsonl(ANTHROPIC_LINES), kind=anthropic.Anthropic)
    assert len(list((client.beta if beta else client).messages.batches.results("b1"))) == len(ANTHROPIC_LINES)


GEMINI_JOB = {
    "name": "batches/b1",
    "metadata": {
        "name": "batches/b1",
        "model": "models/gemini-test",
        "state": "BATCH_STATE_SUCCEEDED",
        "output": {
            "inlinedResponses": {
                "inlinedResponses": [
                    {"response": gemini_chunk("all is well", last=True)},
                    {"error": {"code": 5, "message": "no"}},
                ]
            }
        },
    },
}


VERTEX = {"vertexai": True, "project": "p", "location": "l", "credentials": Credentials(token="t")}


def gemini_client(*answers: Any, **settings: Any) -> Any:
    transport = play(*answers)
    options = HttpOptions(
        httpx_client=httpx2.Client(transport=transport),
        httpx_async_client=httpx2.AsyncClient(transport=transport),
    )
    return llm_observe.wrap(genai.Client(**(settings or {"api_key": "k"}), http_options=options))


GEMINI_FILE = "\n".join(
    json.dumps(
        {"key": str(number), "response": {**gemini_chunk("hi", last=True), "responseId": f"r{number}"}}
    )
    for number in range(2)
).encode()
S, E, C = OUTCOME_SUCCESS, OUTCOME_ERROR, OUTCOME_CANCELLED
BATCHES: dict[str, tuple[Any, list[tuple[str, int, str]]]] = {
    "OpenAI": (
        lambda: make(OPENAI_FILE).files.content("file-1"),
        [("openai", S, ""), ("openai", S, ""), ("openai", E, "too_long"), ("openai", E, "batch_expired")],
    ),
    "Anthropic": (
        lambda: read_anthropic(""),
        [
            ("anthropic", S, ""),
            ("anthropic", E, "invalid_request_error"),
            ("anthropic", C, ""),
            ("anthropic", E, "expired"),
        ],
    ),
    "Gemini": (
        lambda: gemini_client(GEMINI_JOB).batches.get(name="batches/b1"),
        [("gemini", S, ""), ("gemini", E, "5")],
    ),
    "Gemini's file": (
        lambda: gemini_client(GEMINI_FILE).files.download(file="files/f1"),
        [("gemini", S, ""), ("gemini", S, "")],
    ),
}


@pytest.mark.parametrize("vendor", BATCHES)
def test_each_result_of_a_batch_is_one_log(recorder, vendor):
    read, expected = BATCHES[vendor]
    read()
    read()  # the same logs again
    logs = recorder.logs
    first, second = logs[: len(expected)], logs[len(expected) :]
    assert [(log.provider, log.outcome, log.error_code) for log in first] == expected
    assert {log.service_tier for log in logs} == {"batch"}
    assert not any(log.HasField("latency") for log in logs)
    assert [log.log_id for log in first] == [log.log_id for log in second]
    assert len({log.log_id for log in first}) == len(first)
    assert first[0].total_token_count


def test_a_long_file_of_results_is_read_in_a_thread(recorder, monkeypatch):
    from llm_observe import _batch_results  # noqa: PLC0415 - to be changed

    monkeypatch.setattr(_batch_results, "_MAX_BYTES_HERE", 10)
    started: list[Any] = []

    class Noted(threading.Thread):
        def start(self) -> None:
            started.append(self)
            super().start()

    monkeypatch.setattr(_batch_results, "threading", SimpleNamespace(Thread=Noted))
    with llm_observe.session("s1"):
        make(OPENAI_FILE).files.content("file-1")
    started[0].join()
    assert {log.session_id for log in recorder.logs} == {"s1"}
    assert len(recorder.logs) == len(OPENAI_LINES)


@pytest.mark.parametrize("content", [b"", b"hello", b'{"a": 1}\n{"b": 2}', b"{oh", b'{"custom_id": "1"'])
def test_other_files_are_no_results(recorder, content):
    make(content).files.content("file-1")
    assert not recorder.calls


INTERACTION_USAGE = {
    "total_input_tokens": 11,
    "total_output_tokens": 3,
    "total_thought_tokens": 2,
    "total_tokens": 16,
    "total_cached_tokens": 4,
    "output_tokens_by_modality": [{"modality": "audio", "tokens": 1}],
}
OUTPUT = {"type": "model_output", "content": [{"type": "text", "text": "all is well"}]}
INTERACTION = {
    "id": "i1",
    "status": "completed",
    "model": "gemini-test",
    "steps": [OUTPUT],
    "usage": INTERACTION_USAGE,
}
INPUTS: list[Any] = [
    "hi",
    [{"type": "text", "text": "hi"}],
    [{"type": "user_input", "content": [{"type": "text", "text": "hi"}]}],
]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("given", INPUTS)
async def test_an_interaction(recorder, given, asynchronous):
    client = gemini_client(INTERACTION)
    if asynchronous:
        await client.aio.interactions.create(model="gemini-test", input=given)
    else:
        client.interactions.create(model="gemini-test", input=given)
    assert facts(recorder.only) == ("chat", "gemini-test", "hi", "all is well", COUNTED)
    assert known(recorder.only, "cache_read_token_count", "audio_output_token_count") == (4, 1)


def interaction_events(last: str = "completed") -> httpx2.Response:
    begun = {**INTERACTION, "status": "in_progress", "steps": [], "usage": None}
    events = [
        {"event_type": "interaction.created", "interaction": begun},
        {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}},
        {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "all is well"}},
        {"event_type": "interaction.completed", "interaction": {**INTERACTION, "status": last, "steps": []}},
    ]
    return sse(events[:3], done=False) if last == "cut" else sse(events)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("last", "outcome", "code"),
    [("completed", S, ""), ("failed", E, "error"), ("cut", E, "stream_incomplete")],
)
async def test_an_interaction_that_is_streamed(recorder, last, outcome, code, asynchronous):
    client = gemini_client(interaction_events(last))
    if asynchronous:
        stream = await client.aio.interactions.create(model="gemini-test", input="hi", stream=True)
        _ = [event async for event in stream]
    else:
        list(client.interactions.create(model="gemini-test", input="hi", stream=True))
    log = recorder.only
    assert (log.outcome, log.error_code, log.output_preview) == (outcome, code, "all is well")
    assert log.streamed


def test_an_interaction_that_fails(recorder):
    client = gemini_client(httpx2.Response(400, json={"error": {"code": "bad", "message": "no"}}))
    with pytest.raises(Exception, match=r".*"):
        client.interactions.create(model="gemini-test", input="hi")
    assert (recorder.only.outcome, recorder.only.http_status) == (OUTCOME_ERROR, 400)


def test_an_interaction_in_the_background(recorder):
    running = {**INTERACTION, "status": "in_progress", "steps": [], "usage": None}
    client = gemini_client(running, running, INTERACTION)
    client.interactions.create(model="gemini-test", input="hi", background=True)
    client.interactions.get("i1")
    assert not recorder.calls
    client.interactions.get("i1")
    assert facts(recorder.only) == ("chat", "gemini-test", "hi", "all is well", COUNTED)


def test_geminis_videos(recorder):
    running = {"name": "projects/p/locations/l/publishers/google/models/veo/operations/o1"}
    client = gemini_client(running, running, {**running, "done": True, "response": {}}, **VERTEX)
    operation = client.models.generate_videos(model="veo", source={"prompt": "a cat"})
    operation = client.operations.get(operation)
    assert not recorder.calls
    client.operations.get(operation)
    assert facts(recorder.only) == ("video_generation", "veo", "a cat", "", UNCOUNTED)
    assert recorder.only.outcome == OUTCOME_SUCCESS
