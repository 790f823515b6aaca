"""A conversation as people read it: questions with their answers, made of messages and logs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from llm_observe.v1.conversation_pb2 import ROLE_ASSISTANT, ROLE_USER, CallStats
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR

from streamlit_app import format as fmt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from llm_observe.v1.conversation_pb2 import Message
    from llm_observe.v1.log_pb2 import Log

Outcome = Literal["success", "error", "cancelled"]
_OUTCOMES: Final[dict[int, Outcome]] = {OUTCOME_ERROR: "error", OUTCOME_CANCELLED: "cancelled"}
_CLOCK_TOLERANCE: Final = timedelta(seconds=2)
"""How much earlier than its question a call may seem to begin: two clocks measure them."""


@dataclass(slots=True)
class Numbers:
    """Numbers of a call. None is unknown."""

    latency_s: float | None = None
    first_token_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_nano_usd: int | None = None

    @property
    def tokens_per_s(self) -> float | None:
        """Output tokens a second, from the first one on."""
        if not self.output_tokens or self.latency_s is None:
            return None
        passed = self.latency_s - (self.first_token_s or 0)
        return self.output_tokens / passed if passed > 0 else None


@dataclass(slots=True)
class Answer:
    """What a model answered, as far as it came."""

    message_id: str = ""
    log_id: str = ""
    text: str = ""
    provider: str = ""
    model: str = ""
    outcome: Outcome = "success"
    time: datetime | None = None
    numbers: Numbers = field(default_factory=Numbers)
    error_code: str = ""
    error_message: str = ""

    @property
    def failed(self) -> bool:
        """Whether the call ended with an error."""
        return self.outcome == "error"


@dataclass(slots=True)
class Turn:
    """A question and its answers; several where an answer broke off and was asked for again."""

    question: str = ""
    question_id: str = ""
    time: datetime | None = None
    answers: list[Answer] = field(default_factory=list)

    @property
    def text_missing(self) -> bool:
        """Whether the server keeps no text: no question is empty."""
        return bool(self.question_id) and not self.question


def to_turns(messages: Iterable[Message], calls: Sequence[Log] = ()) -> list[Turn]:
    """Return the turns of a conversation, oldest first.

    A call that failed before its first word has no message: its log tells of it.
    """
    turns: list[Turn] = []
    logs = {log.log_id: log for log in calls}
    for message in messages:
        if message.role == ROLE_USER:
            time = fmt.timestamp(message.create_time)
            turns.append(Turn(message.content, message.message_id, time))
        elif message.role == ROLE_ASSISTANT:
            if not turns:  # its question is older than what was read
                turns.append(Turn())
            turns[-1].answers.append(_to_answer(message, logs.pop(message.log_id, None)))
    for log in reversed(list(logs.values())):
        if log.outcome in _OUTCOMES:
            _add_unanswered(turns, log)
    return turns


def merge(stored: list[Turn], recent: Iterable[Turn]) -> list[Turn]:
    """Return stored turns with what a visitor has just seen: the server tells later, or does not keep it."""
    turns = {turn.question_id: turn for turn in stored}
    merged = list(stored)
    for turn in recent:
        same = turns.get(turn.question_id) if turn.question_id else None
        if same is None:
            same = replace(turn, answers=list(turn.answers))
            turns[turn.question_id] = same
            merged.append(same)
            continue
        same.question = same.question or turn.question
        for answer in turn.answers:
            _merge_answer(same, answer)
    return merged


def _merge_answer(turn: Turn, recent: Answer) -> None:
    same = next((answer for answer in turn.answers if recent.log_id and answer.log_id == recent.log_id), None)
    if same is None:
        turn.answers.append(recent)
        return
    same.text = same.text or recent.text
    same.error_code = recent.error_code or same.error_code
    same.error_message = recent.error_message or same.error_message
    if same.numbers.latency_s is None:
        same.numbers = recent.numbers


def numbers_of(stats: CallStats) -> Numbers:
    """Return the numbers of a call that the chat told."""
    return Numbers(
        latency_s=fmt.seconds(stats.latency) if stats.HasField("latency") else None,
        first_token_s=fmt.seconds(stats.time_to_first_token)
        if stats.HasField("time_to_first_token")
        else None,
        input_tokens=stats.input_token_count if stats.HasField("input_token_count") else None,
        output_tokens=stats.output_token_count if stats.HasField("output_token_count") else None,
        cost_nano_usd=stats.cost_nano_usd if stats.HasField("cost_nano_usd") else None,
    )


def _to_answer(message: Message, log: Log | None) -> Answer:
    answer = Answer(
        message_id=message.message_id,
        log_id=message.log_id,
        text=message.content,
        provider=message.provider,
        model=message.model,
        outcome=_OUTCOMES.get(message.outcome, "success"),
        time=fmt.timestamp(message.create_time),
        numbers=numbers_of(message.call_stats),
    )
    if log is not None:
        _add_log(answer, log)
    return answer


def _add_log(answer: Answer, log: Log) -> None:
    answer.error_code, answer.error_message = log.error_code, log.error_message
    if log.HasField("cache_read_token_count"):
        answer.numbers.cached_tokens = log.cache_read_token_count


def _add_unanswered(turns: list[Turn], log: Log) -> None:
    begin = fmt.timestamp(log.start_time) + _CLOCK_TOLERANCE
    asked = [turn for turn in turns if turn.time is not None and turn.time <= begin]
    if not asked:
        return
    answer = Answer(
        log_id=log.log_id,
        provider=log.provider,
        model=log.response_model or log.model,
        outcome=_OUTCOMES[log.outcome],
        time=fmt.timestamp(log.start_time) + log.latency.ToTimedelta(),
        numbers=Numbers(latency_s=fmt.seconds(log.latency) if log.HasField("latency") else None),
    )
    _add_log(answer, log)
    # Before the answers that came later, such as that of a retry.
    later = [other for other in asked[-1].answers if other.time and answer.time and other.time > answer.time]
    asked[-1].answers.insert(len(asked[-1].answers) - len(later), answer)
