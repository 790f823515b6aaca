"""Documented commands are found, and wrong answers are noticed."""

from __future__ import annotations

import pytest

from tests.support.documented import documented_commands, has_lines, is_like, parse_messages

PAGE = """
# Calls

    grpcurl -d '{}' \\
        host S/A
    ls

```sh
grpcurl host S/B
```

```json
{"a": 1}
```

```sh
ls
```

```sh
grpcurl host S/C
```

```sh
grpcurl host S/D
```
"""
ID, OTHER = "01a21588-b0a8-726f-8953-17362c1745ec", "01a21588-b0a7-7981-9d08-e6db524e6c1b"


def test_commands_are_found_with_their_answers(tmp_path):
    (tmp_path / "page.md").write_text(PAGE)
    commands = documented_commands(tmp_path / "page.md")
    assert [command.script.split()[-1] for command in commands] == ["S/A", "S/B", "S/C", "S/D"]
    assert [command.answer for command in commands] == ["", '{"a": 1}\n', "", ""]


def test_messages_are_parsed_one_after_the_other():
    assert parse_messages('{"a": 1}\n{\n}\n[]') == [{"a": 1}, {}, []]
    with pytest.raises(ValueError, match="Expecting"):
        parse_messages('{"a": 1} ERROR')


@pytest.mark.parametrize(
    ("documented", "actual", "alike"),
    [
        ({}, {"a": 1}, True),
        ({"a": "1"}, {"a": "2", "b": 3}, True),
        ({"a": "1"}, {"b": "1"}, False),
        ({"a": "1"}, {"a": 1}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": {"b": 1}}, {"a": {}}, False),
        ([1], [2, 3], True),
        ([1, 2], [1], False),
        ({"state": "STATE_GOOD"}, {"state": "STATE_BAD"}, False),
        ({"title": "Hello"}, {"title": "Good morning"}, True),
        ([ID, ID], [OTHER, OTHER], True),
        ([ID, ID], [OTHER, ID], False),
    ],
)
def test_answers_are_compared_by_structure(documented, actual, alike):
    assert is_like(documented, actual, {}) is alike


def test_ids_are_remembered():
    ids: dict[str, str] = {}
    assert is_like({"id": ID}, {"id": OTHER}, ids)
    assert ids == {ID: OTHER}


def test_lines_are_found_in_their_order():
    assert has_lines("a\nc", "a\nb\nc")
    assert not has_lines("c\na", "a\nb\nc")
    assert not has_lines("a", "abc")
