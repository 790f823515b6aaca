"""Made-up conversations, the same each time."""

from __future__ import annotations

from datetime import timedelta

from llm_observe.v1 import analytics_service_pb2 as analytics
from llm_observe.v1 import chat_service_pb2 as chat
from llm_observe.v1 import conversation_service_pb2 as pb
from llm_observe.v1.conversation_pb2 import (
    CONVERSATION_STATE_ACTIVE,
    CONVERSATION_STATE_CANCELLED,
    CONVERSATION_STATE_COMPLETED,
    ROLE_ASSISTANT,
    ROLE_USER,
    CallStats,
    Conversation,
    Message,
)
from llm_observe.v1.log_pb2 import OUTCOME_CANCELLED, OUTCOME_ERROR, OUTCOME_SUCCESS, Log

from server.rpc.errors import ConversationNotFound
from tests.support.ui.fake_server import FakeServer
from tests.support.ui.sample import NOW

_TITLES = (
    ("Why is p95 higher on Mondays?", "openai", "gpt-5.1-mini", 8, 4),
    ("Refund letter for order 20417", "anthropic", "claude-sonnet-5-5", 6, 26),
    ("SQL: cost by user for last month", "openai", "gpt-5.1-mini", 12, 75),
    ("Name ideas for the incident bot", "gemini", "gemini-3.8-flash", 4, 160),
    ("Summary of the outage on 19 November", "anthropic", "claude-sonnet-5-5", 10, 900),
    ("Regular expression for order numbers", "openai", "gpt-5.1-mini", 2, 1600),
    ("Translate the release notes to German", "gemini", "gemini-3.8-flash", 6, 3100),
    ("Explain retry budgets with a picture in words", "openai", "gpt-5.1-mini", 14, 4400),
    ("Test data: twenty plausible addresses", "ollama", "llama4:8b", 4, 5900),
    ("Draft of the privacy notice", "anthropic", "claude-sonnet-5-5", 22, 8800),
)
_STATES = {
    3: CONVERSATION_STATE_COMPLETED,
    6: CONVERSATION_STATE_CANCELLED,
    8: CONVERSATION_STATE_COMPLETED,
}
_LAST = (
    "In short: Monday's batch of reports doubles the prompt size between 8 and 10.",
    "Dear Ms [NAME], we are sorry that your parcel arrived late. The refund of 48.90 EUR is on its way.",
    "SELECT user_id, sum(cost_nano_usd) / 1e9 AS usd FROM logs GROUP BY 1 ORDER BY 2 DESC",
    "Pagerina, Sir Alertsalot, Captain Backoff",
    "Between 14:02 and 14:31 UTC the provider answered 429 to a third of the calls.",
    r"^[A-Z]{2}-\d{5}$ matches two letters, a hyphen and five digits.",
    "Neu in dieser Version: Kosten je Benutzer.",
    "Think of a bucket that fills by ten per cent of what succeeds.",
    "1. Elm Street 14, Springfield",
    "We keep the text of your messages for 30 days.",
)


def conversation_id(number: int) -> str:
    return f"01a21300-0000-7000-8000-{number:012d}"


def make_conversation(number: int = 0) -> Conversation:
    title, provider, model, count, minutes = _TITLES[number % len(_TITLES)]
    made = Conversation(
        conversation_id=conversation_id(number),
        session_id="s1",
        title=title,
        provider=provider,
        model=model,
        message_count=count,
        state=_STATES.get(number, CONVERSATION_STATE_ACTIVE),
        last_message_preview=_LAST[number % len(_LAST)],
    )
    updated = NOW - timedelta(minutes=minutes + 9000 * (number // len(_TITLES)))
    made.update_time.FromDatetime(updated)
    made.create_time.FromDatetime(updated - timedelta(minutes=9))
    return made


CONVERSATIONS = [make_conversation(number) for number in range(47)]
_ANSWER = """Three things come together on Mondays:

1. **Batch reports** start at 08:00 and double the prompt size.
2. The *provider's* queue is longer: first token takes 310 ms instead of 180 ms.
3. Retries after `429` add a second each.

| Day | p50 | p95 |
|---|---:|---:|
| Monday | 0.84 s | 3.10 s |
| Other days | 0.71 s | 1.92 s |

```sql
SELECT dayofweek(start_time) AS day, quantile_cont(latency_ms, 0.95)
FROM logs GROUP BY 1;
```
"""
_TURNS = (
    ("Why is p95 higher on Mondays?\nOnly for chat calls, please.", _ANSWER, OUTCOME_SUCCESS, 2.41),
    ("Mail the table to [EMAIL] and call [PHONE] if it is urgent.", "", OUTCOME_ERROR, 12.0),
    ("Write the whole report as prose", "Mondays begin slowly. The first", OUTCOME_CANCELLED, 3.12),
    ("In one sentence?", _LAST[0], OUTCOME_SUCCESS, 0.74),
)


def make_messages(number: int = 0) -> list[Message]:
    """Return the messages of a conversation; of one question there is no answer."""
    time = CONVERSATIONS[number].create_time.ToDatetime()
    messages = []
    for index, (question, text, outcome, latency_s) in enumerate(_TURNS):
        messages.append(_message(number, f"q{index}", ROLE_USER, question, time))
        time += timedelta(seconds=latency_s)
        if text:
            answer = _message(number, f"a{index}", ROLE_ASSISTANT, text, time)
            answer.log_id, answer.outcome = log_id(number, index), outcome
            answer.provider, answer.model = CONVERSATIONS[number].provider, CONVERSATIONS[number].model
            answer.call_stats.CopyFrom(_stats(latency_s, whole=outcome == OUTCOME_SUCCESS))
            messages.append(answer)
        time += timedelta(seconds=38)
    return messages


def log_id(number: int, turn: int) -> str:
    return f"01a213ff-0000-7000-8000-{number:08d}{turn:04d}"


def _message(number: int, name: str, role, text: str, time) -> Message:
    made = Message(
        message_id=f"{number}-{name}", conversation_id=conversation_id(number), role=role, content=text
    )
    made.create_time.FromDatetime(time)
    return made


def _stats(latency_s: float, *, whole: bool) -> CallStats:
    stats = CallStats()
    stats.latency.FromTimedelta(timedelta(seconds=latency_s))
    if whole:
        stats.time_to_first_token.FromTimedelta(timedelta(seconds=0.31))
        stats.input_token_count, stats.output_token_count = 412, round(latency_s * 90)
        stats.total_token_count = stats.input_token_count + stats.output_token_count
        stats.cost_nano_usd = 618_000
    return stats


def make_calls(number: int = 0) -> list[Log]:
    """Return the logs of a conversation, newest first."""
    messages = {message.log_id: message for message in make_messages(number) if message.log_id}
    questions = [message for message in make_messages(number) if message.role == ROLE_USER]
    logs = []
    for index, (_, _, outcome, latency_s) in enumerate(_TURNS):
        log = Log(
            log_id=log_id(number, index),
            conversation_id=conversation_id(number),
            provider=CONVERSATIONS[number].provider,
            model=CONVERSATIONS[number].model,
            outcome=outcome,
        )
        log.start_time.CopyFrom(questions[index].create_time)
        log.latency.FromTimedelta(timedelta(seconds=latency_s))
        if log.log_id in messages:
            log.cache_read_token_count = 256
        else:
            log.error_code, log.error_message = "rate_limit_exceeded", "Rate limit reached for requests"
        logs.append(log)
    return logs[::-1]


def list_conversations(request: pb.ListConversationsRequest) -> pb.ListConversationsResponse:
    found = [
        each
        for each in CONVERSATIONS
        if (not request.states or each.state in request.states)
        and (not request.provider or each.provider == request.provider)
        and request.text.lower() in each.title.lower()
    ]
    page, size = request.page or 1, request.page_size or 20
    pages = -(-len(found) // size)
    return pb.ListConversationsResponse(
        conversations=found[(page - 1) * size : page * size],
        total_count=len(found),
        total_pages=pages,
        has_next=page < pages,
        has_previous=page > 1,
        page=page,
        page_size=size,
    )


def get_conversation(request: pb.GetConversationRequest):
    number = next(
        (at for at, each in enumerate(CONVERSATIONS) if each.conversation_id == request.conversation_id),
        None,
    )
    if number is None:
        return ConversationNotFound(request.conversation_id)
    return pb.GetConversationResponse(conversation=CONVERSATIONS[number], messages=make_messages(number))


def list_messages(request: pb.ListMessagesRequest) -> pb.ListMessagesResponse:
    return pb.ListMessagesResponse(messages=make_messages(int(request.conversation_id[-12:])))


def list_calls(request: analytics.ListLogsRequest) -> analytics.ListLogsResponse:
    return analytics.ListLogsResponse(logs=make_calls(int(request.filter.conversation_id[-12:])))


def list_models(_request: chat.ListModelsRequest) -> chat.ListModelsResponse:
    return chat.ListModelsResponse(
        providers=[
            chat.ProviderModels(
                provider="openai", configured=True, models=["gpt-5.1-mini", "gpt-5.1"],
                required_setting="OPENAI_API_KEY",
            ),
            chat.ProviderModels(
                provider="anthropic", configured=True, models=["claude-sonnet-5-5"],
                required_setting="ANTHROPIC_API_KEY",
            ),
            chat.ProviderModels(
                provider="gemini", models=["gemini-3.8-flash"], required_setting="GEMINI_API_KEY"
            ),
            chat.ProviderModels(provider="demo", configured=True, models=["demo-echo"]),
        ]
    )  # fmt: skip


def serve_chats(fake: FakeServer) -> None:
    """Have a server answer as if people had chatted for a month."""
    fake.answers |= {
        "ChatService.ListModels": list_models,
        "ConversationService.ListConversations": list_conversations,
        "ConversationService.GetConversation": get_conversation,
        "ConversationService.ListMessages": list_messages,
    }
    of_all = fake.answers["AnalyticsService.ListLogs"]
    fake.answers["AnalyticsService.ListLogs"] = lambda request: (
        list_calls(request) if request.filter.conversation_id else of_all
    )
