"""Makes realistic calls through the SDK against the mock, so that a first look has data."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Final

import llm_observe
import openai

from stack.demo.provider_mock import running_mock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llm_observe import FlushResult

_CONCURRENCY: Final = 16
_LIVE_SHARE: Final = 0.5
_HISTORY_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class _Kind:
    """A model and its behaviour. Latency is log-normal around median_s seconds."""

    provider: str
    model: str
    weight: int
    median_s: float
    tokens: int


_KINDS: Final = (
    _Kind("openai", "gpt-4o-mini", 40, 0.35, 120),
    _Kind("openai", "gpt-4.1", 15, 0.8, 300),
    _Kind("anthropic", "claude-sonnet-5-5", 25, 0.9, 350),
    _Kind("gemini", "gemini-2.5-flash", 20, 0.3, 160),
)
_QUESTIONS: Final = (
    "Summarise this support ticket in two sentences.",
    "Which invoices are overdue, and by how much?",
    "Translate the release notes into German.",
    "Write a friendly reply to a customer who lost a parcel.",
    "Explain why the nightly job was slow.",
)
_ERRORS: Final = (429, 500, 400)


@dataclass(frozen=True, slots=True)
class _Plan:
    """One call to make."""

    number: int
    kind: _Kind
    question: str
    latency_s: float
    streamed: bool
    leave_early: bool
    status: int
    user: int
    hours_ago: int


def run_demo_traffic(
    endpoint: str, *, calls: int, seed: int, on_progress: Callable[[int], None]
) -> FlushResult:
    """Make the calls and wait until they have arrived; on_progress gets the number of calls made so far.

    Half of them are made now, against the mock. The others are logged as made during the last day, so that
    charts over time have something to show.
    """
    llm_observe.configure(endpoint=endpoint, environment="demo", release="demo-1.0")
    plans = list(_plan(random.Random(seed), calls))  # noqa: S311 - a repeatable demo, not cryptography
    live = [plan for plan in plans if plan.kind.provider == "openai"][: int(calls * _LIVE_SHARE)]
    live_numbers = {plan.number for plan in live}
    past = [plan for plan in plans if plan.number not in live_numbers]
    for done, plan in enumerate(past, start=1):
        _log_past_call(plan)
        on_progress(done)
    counter = count(len(past) + 1)
    with running_mock() as mock:
        asyncio.run(_make_calls(live, f"{mock.base_url}/v1", lambda: on_progress(next(counter))))
    return llm_observe.flush(30)


def _plan(chance: random.Random, calls: int) -> Iterator[_Plan]:
    for number in range(calls):
        kind = chance.choices(_KINDS, [kind.weight for kind in _KINDS])[0]
        latency_s = min(kind.median_s * chance.lognormvariate(0, 0.5), 8.0)
        yield _Plan(
            number=number,
            kind=kind,
            question=chance.choice(_QUESTIONS),
            latency_s=latency_s,
            streamed=chance.random() < 0.6,  # noqa: PLR2004 - shares of the demo
            leave_early=chance.random() < 0.03,  # noqa: PLR2004 - as above
            status=chance.choice(_ERRORS) if chance.random() < 0.05 else 200,  # noqa: PLR2004 - as above
            user=chance.randrange(40),
            hours_ago=chance.randrange(_HISTORY_HOURS),
        )


def _log_past_call(plan: _Plan) -> None:
    failed = plan.status != 200  # noqa: PLR2004 - HTTP OK
    start_time = datetime.now(UTC) - timedelta(hours=plan.hours_ago, seconds=plan.user * 60)
    with llm_observe.session(f"demo-{plan.user}", user_id=f"user-{plan.user}"):
        llm_observe.log(
            provider=plan.kind.provider,
            model=plan.kind.model,
            input_text=plan.question,
            output_text="" if failed else "A demo answer.",
            outcome="error" if failed else "success",
            start_time=start_time,
            latency_s=plan.latency_s,
            time_to_first_token_s=plan.latency_s / 3 if plan.streamed and not failed else None,
            input_tokens=None if failed else len(plan.question.split()) * 2,
            output_tokens=None if failed else plan.kind.tokens,
            error_code={429: "rate_limit_exceeded", 500: "server_error", 400: "context_length_exceeded"}.get(
                plan.status, ""
            ),
            error_message=f"demo error {plan.status}" if failed else "",
            finish_reason="" if failed else "stop",
            streamed=plan.streamed,
        )


async def _make_calls(plans: list[_Plan], base_url: str, on_call: Callable[[], None]) -> None:
    slots = asyncio.Semaphore(_CONCURRENCY)
    async with openai.AsyncOpenAI(api_key="demo", base_url=base_url, max_retries=0) as client:
        llm_observe.wrap(client)

        async def make(plan: _Plan) -> None:
            async with slots:
                await _make_call(client, plan)
                on_call()

        await asyncio.gather(*map(make, plans))


async def _make_call(client: openai.AsyncOpenAI, plan: _Plan) -> None:
    chunks = max(4, plan.kind.tokens // 10)
    behaviour = {"latency_s": plan.latency_s / 3, "chunks": chunks, "status": plan.status}
    behaviour["chunk_s"] = plan.latency_s / 1.5 / chunks
    with llm_observe.session(f"demo-{plan.user}", user_id=f"user-{plan.user}", tags=["demo"]):
        try:
            answer = await client.chat.completions.create(
                model=plan.kind.model,
                messages=[{"role": "user", "content": plan.question}],
                stream=plan.streamed,
                extra_headers={"x-mock": json.dumps(behaviour)},
            )
            if isinstance(answer, openai.AsyncStream):
                async with answer:
                    async for _ in answer:
                        if plan.leave_early:
                            break
        except openai.APIStatusError:
            return  # failures are part of the demo, and the SDK has logged this one
