"""What one instrumentation adds to OpenAI's client, in an environment that has no other: see sdk_peers.py.

python peer_program.py NAME HTTP_ENDPOINT GRPC_ENDPOINT CANNED CALLS

The same process takes turns with blocks of bare and instrumented calls: between them, whatever the
instrumentation has replaced in the classes of the client is put back, and replaced again. Prints JSON.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx2
import openai
from openai.resources.chat import chat, completions

_BLOCK: Final = 5
_WARM_UP: Final = 60
_MISSING: Final = object()
_CLASSES: Final = (
    completions.Completions, chat.Chat, openai._base_client.SyncAPIClient, openai._base_client.BaseClient,
    openai.OpenAI, openai.Stream, httpx2.Client, httpx2.HTTPTransport,
)  # fmt: skip
"""What instrumentations change."""

Wrap = Callable[[Any], Any]


def _use_llm_observe(_: str, grpc: str) -> tuple[Wrap, Callable[[], object]]:
    import llm_observe  # noqa: PLC0415 - each environment has one of them

    llm_observe.configure(endpoint=grpc, exit_timeout_s=0.5)
    return llm_observe.wrap, lambda: llm_observe.flush(10)


def _use_langfuse(http: str, _: str) -> tuple[Wrap, Callable[[], object]]:
    os.environ |= {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk", "LANGFUSE_HOST": http}
    import langfuse  # type: ignore[import-not-found] # noqa: PLC0415 - as above
    import langfuse.openai  # type: ignore[import-not-found] # noqa: PLC0415 - as above

    return lambda client: client, langfuse.get_client().flush


def _use_opentelemetry(http: str, _: str) -> tuple[Wrap, Callable[[], object]]:
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "span_only"
    from opentelemetry import trace  # noqa: PLC0415 - as above
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # type: ignore[import-not-found] # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.instrumentation.genai.openai import (  # type: ignore[import-not-found] # noqa: PLC0415
        OpenAIInstrumentor,
    )
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{http}/v1/traces")))
    trace.set_tracer_provider(provider)
    OpenAIInstrumentor().instrument()
    return lambda client: client, provider.force_flush


def _use_logfire(http: str, _: str) -> tuple[Wrap, Callable[[], object]]:
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = http
    import logfire  # type: ignore[import-not-found] # noqa: PLC0415 - as above

    logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)

    def wrap(client: Any) -> Any:
        logfire.instrument_openai(client)
        return client

    return wrap, logfire.force_flush


_USES: Final = {
    "llm_observe": _use_llm_observe,
    "langfuse": _use_langfuse,
    "opentelemetry": _use_opentelemetry,
    "logfire": _use_logfire,
}


class _Switch:
    """Puts back what an instrumentation has replaced in the client's classes, and replaces it again."""

    def __init__(self) -> None:
        self._before = {each: dict(vars(each)) for each in _CLASSES}
        self._changes: list[tuple[Any, str, Any, Any]] = []
        self._on = True

    def note(self) -> None:
        """Note what has been replaced."""
        for each, before in self._before.items():
            after = dict(vars(each))
            for name in before.keys() | after.keys():
                old, new = before.get(name, _MISSING), after.get(name, _MISSING)
                if old is not new and not name.startswith("__"):
                    self._changes.append((each, name, old, new))

    def turn(self, *, on: bool) -> None:
        """Have the client instrumented, or bare."""
        if on != self._on:
            self._on = on
            for each, name, old, new in self._changes:
                value = new if on else old
                if value is _MISSING:
                    delattr(each, name)
                else:
                    setattr(each, name, value)


def _client(canned: dict[str, list[str]]) -> openai.OpenAI:
    turns = {kind: itertools.cycle(bodies) for kind, bodies in canned.items()}

    def respond(request: httpx2.Request) -> httpx2.Response:
        kind = "stream" if b'"stream":true' in request.content.replace(b" ", b"") else "whole"
        content_type = "text/event-stream" if kind == "stream" else "application/json"
        return httpx2.Response(200, headers={"content-type": content_type}, text=next(turns[kind]))

    return openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=httpx2.MockTransport(respond)))


def _call(client: openai.OpenAI, prompt: str, *, stream: bool) -> None:
    answer = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": prompt}], stream=stream
    )
    if stream:
        for _ in answer:
            pass


def _compare(clients: dict[bool, Any], switch: _Switch, prompts: Any, calls: int, *, stream: bool) -> Any:
    def block(*, on: bool) -> float:
        switch.turn(on=on)
        _call(clients[on], next(prompts), stream=stream)  # what was replaced is looked up anew
        begin = time.thread_time_ns()
        for _ in range(_BLOCK):
            _call(clients[on], next(prompts), stream=stream)
        return (time.thread_time_ns() - begin) / 1000 / _BLOCK

    bare, added = [], []
    for number in range(calls // _BLOCK):
        first = number % 2 == 0
        took = {on: block(on=on) for on in (first, not first)}
        bare.append(took[False])
        added.append(took[True] - took[False])
    chance = random.Random(1)  # noqa: S311 - draws blocks
    medians = sorted(statistics.median(chance.choices(added, k=len(added))) for _ in range(500))
    return {
        "bare_us": round(statistics.median(bare)),
        "added_us": round(statistics.median(added), 1),
        "interval_95": [round(medians[12]), round(medians[487])],
    }


def main() -> None:
    name, http, grpc, canned_path, given = sys.argv[1:]
    calls = int(given)
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    canned = json.loads(Path(canned_path).read_text("utf-8"))
    prompts = itertools.cycle(canned.pop("prompts"))
    switch = _Switch()
    wrap, flush = _USES[name](http, grpc)
    clients = {False: _client(canned), True: wrap(_client(canned))}
    switch.note()
    figures: dict[str, Any] = {}
    for kind, stream in (("plain", False), ("stream of 50", True)):
        switch.turn(on=True)
        for _ in range(_WARM_UP):
            _call(clients[True], next(prompts), stream=stream)
        figures[kind] = _compare(clients, switch, prompts, calls // (3 if stream else 1), stream=stream)
    switch.turn(on=True)
    process, thread = time.process_time_ns(), time.thread_time_ns()
    for _ in range(calls):
        _call(clients[True], next(prompts), stream=False)
    own = time.thread_time_ns() - thread
    flush()
    figures["background_us"] = round((time.process_time_ns() - process - own) / 1000 / calls, 1)
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
    os._exit(0)  # those whose collector is away would wait for it


if __name__ == "__main__":
    main()
