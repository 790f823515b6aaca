"""The traffic of an application that nobody has: a history of days, and calls as they happen."""

from __future__ import annotations

import heapq
import random
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Final

from llm_observe.v1.log_pb2 import OUTCOME_ERROR, OUTCOME_SUCCESS

from stack.demo.calls import Caller, end_of, set_times, shift, start_of
from stack.demo.catalog import MODELS, PROVIDERS, SEARCH_TOOL, TOOLS
from stack.demo.rhythm import DAYS, Rhythm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe.v1.log_pb2 import Log

    from stack.demo.calls import Task

_PAUSE_S: Final = 25.0
"""Between the turns of a conversation, at the median."""
_WARM_UP_S: Final = 180.0
"""Longer than most conversations."""
_EMBEDDING_S: Final = 0.09
_GAP_S: Final = 0.002
"""Between the steps of an agent."""


def make_history(seed: int, logs: int, end: datetime, days: int = DAYS) -> list[Log]:
    """Return the calls of the days before ``end``, the earliest first.

    The same seed, end and days make the same calls, but for their ids.
    """
    application = Application(seed, end, days)
    made: list[Log] = []
    while len(made) < logs:
        # Of a task that is too long, the first calls: no call comes before the one that made it.
        made += application.task_of_history()[: logs - len(made)]
    return sorted(made, key=start_of)


class Application:
    """Makes the calls of one task after the other."""

    def __init__(self, seed: int, end: datetime, days: int = DAYS) -> None:
        chance = random.Random(seed)  # noqa: S311 - a repeatable demo, not cryptography
        self._rhythm = Rhythm(end, days)
        self._caller = Caller(chance, self._rhythm)

    def task_of_history(self) -> list[Log]:
        """Return the calls of a task of these days; all have ended before their end."""
        caller = self._caller
        feature = caller.choose_feature()
        nightly = feature.kind == "batch"
        start_s = (self._rhythm.draw_night if nightly else self._rhythm.draw)(caller.chance)
        logs = self._make(caller.begin(start_s, feature), start_s)
        late_s = max(map(end_of, logs)) - self._rhythm.end_s
        if late_s > 0:
            for log in logs:
                shift(log, -late_s)
        return logs

    def task_at(self, start_s: float) -> list[Log]:
        """Return the calls of a task that begins at a time, in seconds since 1970."""
        return self._make(self._caller.begin(start_s), start_s)

    def _make(self, task: Task, start_s: float) -> list[Log]:
        match task.feature.kind:
            case "conversation":
                return self._conversation(task, start_s)
            case "agent":
                return self._agent_run(task, start_s)
            case _:
                return self._caller.model_call(task, start_s, self._caller.ask(task))

    def _conversation(self, task: Task, start_s: float) -> list[Log]:
        caller, history = self._caller, 0
        logs: list[Log] = []
        for _ in range(1 + int(caller.chance.expovariate(0.45))):
            turn = caller.model_call(task, start_s, caller.ask(task), history_tokens=history)
            logs += turn
            if turn[-1].outcome == OUTCOME_ERROR:
                break
            history += turn[-1].output_token_count + 40
            start_s = end_of(turn[-1]) + caller.about(_PAUSE_S, 0.8)
        return logs

    def _agent_run(self, task: Task, start_s: float) -> list[Log]:
        """Return a trace: the run, in it calls of the model and of tools, and in a search its embedding."""
        caller, texts = self._caller, self._caller.ask(task)
        run = caller.step(task, "invoke_agent", start_s, (texts[0], ""), name=task.feature.name)
        logs, now_s, last_turn = [run], start_s + _GAP_S, caller.chance.randint(1, 4)
        for turn in range(last_turn + 1):
            calls = caller.model_call(task, now_s, texts, history_tokens=turn * 350)
            logs += _under(run, calls)
            now_s = end_of(calls[-1]) + _GAP_S
            if turn == last_turn or calls[-1].outcome != OUTCOME_SUCCESS:
                break
            tool, *within = self._tool_call(task, now_s)
            calls[-1].finish_reason = PROVIDERS[task.model.provider].tools
            calls[-1].output_preview = tool.input_preview
            logs += [*_under(run, [tool]), *within]
            now_s = end_of(tool) + _GAP_S
        run.outcome, run.output_preview = calls[-1].outcome, calls[-1].output_preview
        run.error_code, run.error_message = calls[-1].error_code, calls[-1].error_message
        set_times(run, now_s - start_s)
        return logs

    def _tool_call(self, task: Task, start_s: float) -> list[Log]:
        """Return a call of a tool, and the embedding that a search makes."""
        caller = self._caller
        name, arguments, result = caller.chance.choice(TOOLS)
        tool = caller.step(task, "execute_tool", start_s, (arguments, result), name=name)
        set_times(tool, caller.about(0.12, 0.7))
        if name != SEARCH_TOOL:
            return [tool]
        model = MODELS["text-embedding-3-small"]
        embedding = caller.step(task, "embeddings", start_s + 0.001, (arguments, ""), name=model.name)
        embedding.provider, embedding.server_address = model.provider, PROVIDERS[model.provider].host
        embedding.input_token_count = embedding.total_token_count = 4 + caller.chance.randrange(12)
        set_times(embedding, caller.about(_EMBEDDING_S, 0.4))
        set_times(tool, max(end_of(tool), end_of(embedding) + 0.02) - start_s)
        return [tool, *_under(tool, [embedding])]


def live_calls(seed: int, rate: float, start_s: float) -> Iterator[tuple[float, Log]]:
    """Yield calls with the time at which each has ended, in that order, without end.

    The application has run for a while by then, so that the rate holds from the start.

    Args:
        seed: The same seed makes the same calls.
        rate: How many calls end a second, in the long run.
        start_s: Calls that end later are yielded, in seconds since 1970.
    """
    application = Application(seed, datetime.fromtimestamp(start_s, UTC))
    running: list[tuple[float, int, Log]] = []
    now_s, numbers = start_s - _WARM_UP_S, count()
    while True:
        task = application.task_at(now_s)
        for log in task:
            heapq.heappush(running, (end_of(log), next(numbers), log))
        now_s += len(task) / rate
        while running and running[0][0] <= now_s:
            ended_s, _, log = heapq.heappop(running)
            if ended_s > start_s:
                yield ended_s, log


def _under(parent: Log, logs: list[Log]) -> list[Log]:
    for log in logs:
        log.parent_span_id = parent.span_id
    return logs
