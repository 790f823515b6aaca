"""Single calls of the demo application, as logs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from llm_observe.ids import uuid7
from llm_observe.v1.log_pb2 import (
    OUTCOME_CANCELLED,
    OUTCOME_ERROR,
    OUTCOME_SUCCESS,
    USAGE_SOURCE_ESTIMATED,
    USAGE_SOURCE_MISSING,
    USAGE_SOURCE_REPORTED,
    Log,
)

from stack.demo.catalog import FEATURES, MODELS, PROVIDERS, USER_WEIGHTS, USERS
from stack.demo.texts import make_texts

if TYPE_CHECKING:
    import random

    from stack.demo.catalog import Failure, Feature, Model
    from stack.demo.rhythm import Rhythm
    from stack.demo.texts import Prompt

ENVIRONMENT: Final = "demo"
"""The environment of every demo call, by which they can be told apart and removed."""
SOURCE: Final = "llm-observe demo-traffic"
_APPLICATION: Final = "app"
"""Provider of what the application does itself."""
_RELEASE_BEFORE, _RELEASE_SINCE = "2.8.0", "2.9.0"
_FAILURES: Final = 0.018
_CANCELLED: Final = 0.04
_CUT_SHORT: Final = 0.02
_CACHED: Final = 0.45
_CACHE_BLOCK: Final = 128
_CACHE_WRITTEN: Final = 0.3
_KEPT_AN_HOUR: Final = 0.3
_SPECIAL_TIER: Final = 0.06
_NOT_RETRIED: Final = 0.25
_MAX_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Task:
    """What the calls of one task have in common."""

    feature: Feature
    model: Model
    release: str
    user_id: str
    session_id: str
    conversation_id: str = ""
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Makes calls. All that a log says but its ids follows from ``chance``."""

    chance: random.Random
    rhythm: Rhythm
    _weights: list[float] = field(default_factory=lambda: [feature.weight for feature in FEATURES])

    def begin(self, start_s: float, feature: Feature | None = None) -> Task:
        """Begin a task, of any feature unless one is given."""
        feature = feature or self.choose_feature()
        names, weights = zip(*feature.models, strict=True)
        model = MODELS[self.chance.choices(names, weights)[0]]
        switched = start_s >= self.rhythm.switch_s
        return Task(
            feature=feature,
            model=MODELS[model.succeeds] if model.succeeds and not switched else model,
            release=_RELEASE_SINCE if switched else _RELEASE_BEFORE,
            user_id="" if feature.kind in {"batch", "embeddings"} else self.choose_user(),
            session_id=secrets.token_hex(8),
            conversation_id=secrets.token_hex(8) if feature.kind == "conversation" else "",
            trace_id=secrets.token_hex(16) if feature.kind == "agent" else "",
        )

    def choose_feature(self) -> Feature:
        """Return a feature by weight."""
        return self.chance.choices(FEATURES, self._weights)[0]

    def choose_user(self) -> str:
        """Return a user; some are there much more often than others."""
        return self.chance.choices(USERS, USER_WEIGHTS)[0]

    def about(self, typical: float, spread: float = 0.45) -> float:
        """Return a number near a typical one."""
        return typical * self.chance.lognormvariate(0, spread)

    def model_call(self, task: Task, start_s: float, *, history_tokens: int = 0) -> list[Log]:
        """Call the model; where that fails, some try again. Return the attempts, the last one last."""
        attempts: list[Log] = []
        prompt = self.chance.choice(task.feature.prompts)
        texts = make_texts(self.chance, prompt)
        while True:
            log = self._attempt(task, start_s, texts, history_tokens)
            if log.service_tier != "batch":
                log.retry_count = len(attempts)
            attempts.append(log)
            failure = self._failure(task.model.provider, start_s)
            if failure is None:
                self._succeed(log, task, start_s)
                return attempts
            self._fail(log, failure)
            if not failure.retried or len(attempts) == _MAX_ATTEMPTS or self.chance.random() < _NOT_RETRIED:
                return attempts
            start_s = end_of(log) + self.about(0.8) * 2 ** len(attempts)

    def step(self, task: Task, operation: str, start_s: float, prompt: Prompt, *, name: str = "") -> Log:
        """Return a step of an agent that is no call of its model: its run, a tool, an embedding."""
        log = self._log(task, operation, start_s)
        if name:
            log.provider, log.model = _APPLICATION, name
        log.outcome = OUTCOME_SUCCESS
        log.usage_source = USAGE_SOURCE_MISSING
        log.input_preview, log.output_preview = prompt.question, prompt.answers[0]
        return log

    def _log(self, task: Task, operation: str, start_s: float) -> Log:
        start_us = round(start_s * 1e6)
        log = Log(
            log_id=uuid7(start_us * 1000),
            session_id=task.session_id,
            conversation_id=task.conversation_id,
            user_id=task.user_id,
            trace_id=task.trace_id,
            span_id=secrets.token_hex(8) if task.trace_id else "",
            provider=task.model.provider,
            model=task.model.name,
            operation=operation,
            environment=ENVIRONMENT,
            release=task.release,
            tags=task.feature.tags,
            metadata={"feature": task.feature.name},
            source=SOURCE,
        )
        log.start_time.FromMicroseconds(start_us)
        return log

    def _attempt(self, task: Task, start_s: float, texts: tuple[str, str], history_tokens: int) -> Log:
        model, feature = task.model, task.feature
        embeds = feature.kind == "embeddings"
        log = self._log(task, "embeddings" if embeds else "chat", start_s)
        log.input_preview, log.output_preview = texts
        log.server_address = PROVIDERS[model.provider].host
        log.streamed = self.chance.random() < feature.streamed_share
        log.service_tier = PROVIDERS[model.provider].standard_tier
        if feature.kind == "batch":
            log.service_tier = "batch"
        elif model.tiers and self.chance.random() < _SPECIAL_TIER:
            log.service_tier = self.chance.choice(model.tiers)
        log.input_token_count = max(8, int(self.about(feature.input_tokens, 0.6))) + history_tokens
        return log

    def _failure(self, provider: str, start_s: float) -> Failure | None:
        if self.chance.random() >= _FAILURES * self.rhythm.slow_spell.failures_of(provider, start_s):
            return None
        failures = PROVIDERS[provider].failures
        return self.chance.choices(failures, [failure.weight for failure in failures])[0]

    def _fail(self, log: Log, failure: Failure) -> None:
        log.outcome = OUTCOME_ERROR
        log.error_code, log.error_message = failure.code, failure.message
        if failure.http_status is not None:
            log.http_status = failure.http_status
            log.provider_request_id = f"req_{secrets.token_hex(8)}"
        log.usage_source = USAGE_SOURCE_MISSING
        log.ClearField("input_token_count")
        log.ClearField("output_preview")
        set_times(log, self.about(failure.after_s, 0.3))

    def _succeed(self, log: Log, task: Task, start_s: float) -> None:
        model, words = task.model, PROVIDERS[task.model.provider]
        log.outcome, log.usage_source, log.http_status = OUTCOME_SUCCESS, USAGE_SOURCE_REPORTED, 200
        log.response_model = model.name
        log.provider_response_id = words.response_prefix + secrets.token_hex(9)
        slowness = self.rhythm.slow_spell.slowness_of(model.provider, start_s)
        first_token_s = self.about(model.first_token_s) * slowness
        latency_s = first_token_s
        if log.operation == "chat":
            self._answer(log, model)
            latency_s += log.output_token_count / self.about(model.tokens_per_s, 0.2) * slowness
        if log.streamed and self.chance.random() < _CANCELLED:
            latency_s = self._leave(log, first_token_s, latency_s)
        log.total_token_count = log.input_token_count + log.output_token_count
        if log.service_tier != "batch":  # how long a call of a batch takes, nobody is told
            set_times(log, latency_s, first_token_s if log.streamed else None)

    def _answer(self, log: Log, model: Model) -> None:
        words = PROVIDERS[model.provider]
        log.output_token_count = max(1, int(self.about(model.output_tokens, 0.6)))
        log.finish_reason = words.length if self.chance.random() < _CUT_SHORT else words.stop
        if model.reasoning_share:
            log.reasoning_token_count = int(
                log.output_token_count * model.reasoning_share * self.chance.random()
            )
        blocks = log.input_token_count // _CACHE_BLOCK
        if blocks > 1 and self.chance.random() < _CACHED:
            log.cache_read_token_count = self.chance.randrange(1, blocks) * _CACHE_BLOCK
        elif model.provider == "anthropic" and blocks and self.chance.random() < _CACHE_WRITTEN:
            log.cache_write_token_count = self.chance.randrange(1, blocks + 1) * _CACHE_BLOCK
            if self.chance.random() < _KEPT_AN_HOUR:
                log.cache_write_1h_token_count = log.cache_write_token_count

    def _leave(self, log: Log, first_token_s: float, latency_s: float) -> float:
        """Have the application abandon the answer, and return when."""
        part = self.chance.uniform(0.1, 0.9)
        log.outcome, log.usage_source = OUTCOME_CANCELLED, USAGE_SOURCE_ESTIMATED
        log.ClearField("finish_reason")
        log.ClearField("reasoning_token_count")
        log.output_token_count = int(log.output_token_count * part)
        log.output_preview = log.output_preview[: int(len(log.output_preview) * part)]
        return first_token_s + (latency_s - first_token_s) * part


def start_of(log: Log) -> float:
    """Return when a call began, in seconds since 1970."""
    return log.start_time.ToMicroseconds() / 1e6


def end_of(log: Log) -> float:
    """Return when a call ended, in seconds since 1970."""
    return start_of(log) + log.latency.ToMicroseconds() / 1e6


def shift(log: Log, by_s: float) -> None:
    """Have a call happen earlier or later, by seconds."""
    by_us = round(by_s * 1e6)
    for name in ("start_time", "first_token_time", "end_time"):
        if log.HasField(name):
            time = getattr(log, name)
            time.FromMicroseconds(time.ToMicroseconds() + by_us)


def set_times(log: Log, latency_s: float, first_token_s: float | None = None) -> None:
    """Say how long a call took, in seconds."""
    start_us, latency_us = log.start_time.ToMicroseconds(), round(latency_s * 1e6)
    log.latency.FromMicroseconds(latency_us)
    log.end_time.FromMicroseconds(start_us + latency_us)
    if first_token_s is not None:
        first_us = min(round(first_token_s * 1e6), latency_us)
        log.time_to_first_token.FromMicroseconds(first_us)
        log.first_token_time.FromMicroseconds(start_us + first_us)
