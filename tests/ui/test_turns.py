"""Conversations as people read them: turns, numbers, redactions, exports."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from llm_observe._redaction.rules import KINDS as REDACTED_KINDS

from streamlit_app.components.redactions import KINDS, describe_redactions, find_redactions, mark_redactions
from streamlit_app.components.safe_text import literal_lines, safe_markdown
from streamlit_app.data.exports import file_name, to_json, to_markdown
from streamlit_app.data.turns import Answer, Numbers, Turn, merge, to_turns
from streamlit_app.panels.transcript import compare, describe_answer, describe_failure
from tests.support.ui.sample_chats import CONVERSATIONS, make_calls, make_messages


def test_each_answer_is_with_its_question_and_a_failure_without_text_is_there():
    turns = to_turns(make_messages(), make_calls())
    outcomes = [[answer.outcome for answer in turn.answers] for turn in turns]
    assert outcomes == [["success"], ["error"], ["cancelled"], ["success"]]
    assert turns[1].answers[0].error_code == "rate_limit_exceeded"
    assert turns[0].answers[0].numbers.cached_tokens == 256


def test_without_logs_the_messages_are_there():
    assert [len(turn.answers) for turn in to_turns(make_messages())] == [1, 0, 1, 1]


def test_an_answer_whose_question_was_not_read_is_kept():
    (turn, *_) = to_turns(make_messages()[1:])
    assert turn.question == ""
    assert not turn.text_missing
    assert turn.answers[0].text


def test_a_failure_before_a_retry_stands_before_its_answer():
    messages = make_messages()
    retried = make_messages()[1]
    retried.log_id = "later"
    retried.create_time.CopyFrom(messages[3].create_time)
    turns = to_turns([*messages[:3], retried], make_calls()[2:3])
    assert [answer.outcome for answer in turns[1].answers] == ["error", "success"]


def recent(**fields) -> Turn:
    return Turn("hello", "u1", answers=[Answer(**{"message_id": "m1", "log_id": "l1", **fields})])


def test_merging_keeps_what_only_the_session_knows_and_repeats_nothing():
    stored = [Turn("", "u1", answers=[Answer(message_id="m1", log_id="l1")])]
    seen = recent(text="hi", numbers=Numbers(latency_s=1.0))
    failed = recent(log_id="l2", outcome="error", error_code="X")
    (turn,) = merge(stored, [seen, failed])
    assert turn.question == "hello"
    assert [answer.text for answer in turn.answers] == ["hi", ""]
    assert turn.answers[0].numbers.latency_s == 1.0
    assert turn.answers[1].error_code == "X"


def test_merging_changes_nothing_that_the_session_keeps():
    first, second = recent(), recent(log_id="l2")
    for _ in range(2):
        (turn,) = merge([], [first, second])
        assert len(turn.answers) == 2
    assert len(first.answers) == 1


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (Numbers(), None),
        (Numbers(latency_s=2.0, output_tokens=0), None),
        (Numbers(latency_s=2.0, output_tokens=50), 25),
        (Numbers(latency_s=2.5, first_token_s=0.5, output_tokens=50), 25),
        (Numbers(latency_s=0.5, first_token_s=0.5, output_tokens=50), None),
    ],
)
def test_tokens_a_second_count_from_the_first_token(numbers, expected):
    assert numbers.tokens_per_s == expected


ANSWER = Answer(
    provider="openai", model="gpt", numbers=Numbers(2.41, 0.31, 412, 217, 256, 618_000), text="text"
)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (
            ANSWER,
            "**gpt** · 2.41 s · first token 310 ms · 103 tok/s · 412 (256 cached) → 217 tokens · $0.00062",
        ),
        (replace(ANSWER, numbers=Numbers(2.41)), "**gpt** · 2.41 s · tokens unknown · no price known"),
        (replace(ANSWER, outcome="error"), "**gpt** · failed after 2.41 s"),
        (replace(ANSWER, outcome="cancelled", model=""), "**openai**"),
    ],
)
def test_the_line_under_an_answer(answer, line):
    assert describe_answer(answer).replace("\\", "") == line


def test_what_an_answer_is_better_at_is_said_only_if_it_is_clear():
    slow = replace(ANSWER, numbers=Numbers(4.82, 0.32, 412, 217, 0, 618_000))
    assert compare(ANSWER, slow) == ["2.0 times faster"]
    assert compare(slow, ANSWER) == []
    assert compare(ANSWER, None) == []
    assert compare(ANSWER, replace(slow, outcome="error")) == []


@pytest.mark.parametrize(
    ("code", "message", "sentence"),
    [
        ("", "", "The call failed."),
        ("X", "no key.", "No key."),
        (
            "PROVIDER_TIMEOUT",
            "the provider did not answer in time",
            "The provider did not answer in time. Retry, or choose another model.",
        ),
    ],
)
def test_a_failure_is_a_sentence_with_what_to_do(code, message, sentence):
    assert describe_failure(Answer(error_code=code, error_message=message)) == sentence


def test_placeholders_stand_out_in_text_and_not_in_code():
    assert KINDS == REDACTED_KINDS
    for kind in KINDS:
        text = f"write to [{kind}] or `[{kind}]` [TODO]"
        shown = mark_redactions(safe_markdown(text))
        assert shown.count(":violet-background[") == 1
        assert f"`[{kind}]`" in shown
        assert find_redactions([text, text]) == [kind]
    assert "credit card" in describe_redactions(["CREDIT_CARD"])
    assert describe_redactions([]) == ""


def test_lines_and_indentation_are_as_written():
    assert literal_lines("a *b*\n  c\n\n# d") == "a \\*b\\*\\\n\u00a0\u00a0c\n\n\\# d"


def test_an_export_has_every_message():
    conversation, messages = CONVERSATIONS[0], make_messages()
    read = json.loads(to_json(conversation, messages))
    assert read["title"] == conversation.title
    assert [message["content"] for message in read["messages"]] == [each.content for each in messages]
    written = to_markdown(conversation, messages)
    assert all(each.content in written for each in messages)
    assert "## Assistant (openai · gpt-5.1-mini)" in written


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Why is p95?", "why-is-p95.md"),
        ("../../etc/passwd", "etc-passwd.md"),
        ("…", "c1.md"),
        ("x" * 99, "x" * 60 + ".md"),
    ],
)
def test_names_of_files_are_safe(title, name):
    conversation = type(CONVERSATIONS[0])(title=title, conversation_id="c1")
    assert file_name(conversation, "md") == name
