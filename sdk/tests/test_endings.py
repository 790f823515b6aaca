"""Every way a call can end, for every vendor, sync and async, gives exactly one correct log."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS
from log_assertions import assert_call, assert_success
from vendor_wire import Anthropic, Gemini, OpenAI

VENDORS: dict[str, Any] = {"openai": OpenAI, "anthropic": Anthropic, "gemini": Gemini}


@pytest.fixture(params=VENDORS)
def vendor(request, recorder) -> Any:
    return VENDORS[request.param]()


class Sync:
    """Drives the synchronous client to an ending."""

    def __init__(self, vendor: Any) -> None:
        self.vendor = vendor

    async def ask(self) -> None:
        self.vendor.ask(self.vendor.client)

    async def read(self) -> None:
        for _ in self.vendor.stream():
            pass

    async def leave(self, way: str, after: str = "all ") -> None:
        answer = self.vendor.stream()
        if way != "never read":
            for chunk in answer:
                if f"{after}'" in repr(chunk):
                    break
        if way == "close":
            answer.close()


class Async:
    """Drives the asynchronous client to an ending."""

    def __init__(self, vendor: Any) -> None:
        self.vendor = vendor

    async def ask(self) -> None:
        await self.vendor.ask(self.vendor.aclient())

    async def read(self) -> None:
        async for _ in await self.vendor.astream(self.vendor.aclient()):
            pass

    async def leave(self, way: str, after: str = "all ") -> None:
        answer = await self.vendor.astream(self.vendor.aclient())
        if way != "never read":
            async for chunk in answer:
                if f"{after}'" in repr(chunk):
                    break
        if way == "close":
            await (answer.aclose() if hasattr(answer, "aclose") else answer.close())


async def collect_garbage() -> None:
    for _ in range(3):  # the loop closes dropped generators, and those nested in them
        gc.collect()
        await asyncio.sleep(0.02)


@pytest.fixture(params=[Sync, Async], ids=["sync", "async"])
def way(request, vendor) -> Any:
    return request.param(vendor)


async def test_a_successful_call_is_logged(way, vendor, recorder):
    await way.ask()
    assert_success(recorder.only, vendor, streamed=False)


async def test_a_stream_read_to_the_end_is_a_success(way, vendor, recorder):
    await way.read()
    assert_success(recorder.only, vendor, streamed=True)
    assert recorder.only.time_to_first_token.ToNanoseconds() <= recorder.only.latency.ToNanoseconds()


@pytest.mark.parametrize("action", ["ask", "read"])
async def test_a_provider_error_is_logged(way, vendor, recorder, action):
    vendor.wire.ending = "error"
    with pytest.raises(vendor.error):
        await getattr(way, action)()
    log = recorder.only
    assert_call(log, vendor, OUTCOME_ERROR)
    assert (log.http_status, log.error_code) == (429, vendor.error_code)
    assert log.provider_request_id == vendor.request_id
    assert "slow down [EMAIL]" in log.error_message


@pytest.mark.parametrize("action", ["ask", "read"])
@pytest.mark.parametrize(("ending", "code"), [("connection", "connection_error"), ("timeout", "timeout")])
async def test_a_network_error_is_logged(way, vendor, recorder, action, ending, code):
    vendor.wire.ending = ending
    with pytest.raises(vendor.connection):
        await getattr(way, action)()
    assert_call(recorder.only, vendor, OUTCOME_ERROR)
    assert recorder.only.error_code == code


async def test_a_broken_stream_keeps_the_text_received(way, vendor, recorder):
    vendor.wire.ending = "cut"
    with pytest.raises(Exception, match=r"."):
        await way.read()
    assert_call(recorder.only, vendor, OUTCOME_ERROR)
    assert recorder.only.error_code
    assert recorder.only.output_preview.startswith("all is")
    assert recorder.only.HasField("time_to_first_token")


async def test_a_stream_without_an_end_is_no_success(way, vendor, recorder):
    vendor.wire.ending = "incomplete"
    await way.read()
    assert_call(recorder.only, vendor, OUTCOME_ERROR)
    assert recorder.only.error_code == "stream_incomplete"
    assert recorder.only.output_preview.startswith("all is")


async def test_an_error_inside_a_stream_is_logged(way, vendor, recorder):
    vendor.wire.ending = "error event"
    with pytest.raises(Exception, match=r"slow down|RESOURCE_EXHAUSTED"):
        await way.read()
    assert_call(recorder.only, vendor, OUTCOME_ERROR)
    assert recorder.only.error_code == vendor.error_code
    assert recorder.only.output_preview.startswith("all is")
    assert "slow down [EMAIL]" in recorder.only.error_message


async def test_an_error_inside_an_answer_with_status_200_is_logged(way, vendor, recorder):
    vendor.wire.ending = "error inside 200"
    await way.ask()
    assert_call(recorder.only, vendor, OUTCOME_ERROR)
    # google-genai drops what it does not know, so that only the missing answer shows.
    assert recorder.only.error_code == ("no_answer" if vendor.name == "gemini" else vendor.error_code)


async def test_a_stream_left_after_its_end_is_a_success(way, vendor, recorder):
    await way.leave("close", after="well")
    await collect_garbage()
    expected = OUTCOME_SUCCESS if vendor.name == "gemini" else OUTCOME_CANCELLED
    assert recorder.only.outcome == expected  # Gemini's last text says that it is the last


@pytest.mark.parametrize("leaving", ["close", "break", "never read"])
async def test_a_stream_left_by_the_application_is_cancelled(way, vendor, recorder, leaving):
    await way.leave(leaving)
    await collect_garbage()
    read = leaving != "never read"
    if not recorder.calls and vendor.name == "gemini" and not read:
        return  # google-genai sends nothing before the first step: there was no call
    assert_call(recorder.only, vendor, OUTCOME_CANCELLED)
    assert recorder.only.output_preview == ("all " if read else "")
    assert recorder.only.HasField("time_to_first_token") == read


async def test_a_task_cancelled_before_the_answer_is_logged(vendor, recorder):
    task = asyncio.ensure_future(vendor.ask(vendor.aclient(vendor.wire.answer_late)))
    await vendor.wire.silent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_call(recorder.only, vendor, OUTCOME_CANCELLED)


async def test_a_task_cancelled_during_a_stream_keeps_the_text_received(vendor, recorder):
    vendor.wire.ending = "stall"
    task = asyncio.ensure_future(Async(vendor).read())
    await vendor.wire.silent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_call(recorder.only, vendor, OUTCOME_CANCELLED)
    assert recorder.only.output_preview.startswith("all is")


@pytest.mark.parametrize("name", VENDORS)
def test_a_stream_still_open_at_exit_is_logged(name):
    code = (
        f"import vendor_wire\nfrom llm_observe import _runtime\n"
        "_runtime.get_runtime().submit = lambda call: print(call.outcome, call.output_chunks)\n"
        f"vendor = vendor_wire.{VENDORS[name].__name__}()\n"
        "begun = vendor.stream()\n"
        "while \"'all '\" not in repr(next(begun)): pass\n"
        "held = vendor.stream()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    never_sent = [] if name == "gemini" else ["3 []"]
    assert sorted(done.stdout.splitlines()) == ["3 ['all ']", *never_sent]
    # The vendor's client may warn about the open connection; the SDK prints nothing.
    assert "llm_observe" not in done.stderr
