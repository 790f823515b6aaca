"""observe() hides a value that is named as a secret, wherever the name stands."""

from __future__ import annotations

import collections
import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import llm_observe
import pytest
from llm_observe._redaction.names import is_secret_name

SECRET = "zebra"
"""Does not look like a secret; only its name gives it away."""
observe = llm_observe.observe(provider="mine", model="m1")
LONG_NAME = "SPRING_DATASOURCE_HIKARI_DATA_SOURCE_PROPERTIES_CUSTOMER_DATABASE_PASSWORD"


class Field(NamedTuple):
    """Names its value in another field."""

    name: str
    value: str


class Row(NamedTuple):
    """Has fields that name no secret."""

    a: int
    b: Any


NAMES = (
    "password", "x-api-key", "DB_PASSWORD", "Authorization", "secret_id", "password_id", "passwordIds",
    "secretSource", "secret_results", LONG_NAME, "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44",
    "p\u00e0ssword", "pa\u0301ssword", "tok\u200ben", "s\u00e9cret_id", "passwort",
)  # fmt: skip
PLACES: dict[str, Callable[[str], Any]] = {
    "key": lambda name: {name: SECRET},
    "key in bytes": lambda name: {name.encode(): SECRET},
    "key of an ordered mapping": lambda name: OrderedDict([(name, SECRET)]),
    "pair": lambda name: (name, SECRET),
    "pair in lists": lambda name: [[name, SECRET], ["accept", "x"]],
    "pair in bytes": lambda name: [(name.encode(), SECRET)],
    "pair with a colon": lambda name: [f"{name}:", SECRET],
    "option": lambda name: ["psql", f"--{name}", SECRET],
    "option after an option": lambda name: ["psql", "--token", f"--{name}", SECRET],
    "option with a sign": lambda name: ["psql", f"--{name}={SECRET}"],
    "header": lambda name: ["-H", f"{name}: {SECRET}"],
    "variables": lambda name: {"env": f"A=1\n{name}={SECRET}"},
    "name beside": lambda name: {"name": name, "value": SECRET},
    "name after": lambda name: {"value": SECRET, "name": name},
    "key beside": lambda name: {"Key": name, "Value": SECRET},
    "option beside": lambda name: {"headerName": f"--{name}", "headerValue": SECRET},
    "fields beside": lambda name: Field(name, SECRET),
    "JSON": lambda name: {"body": json.dumps({name: SECRET})},
    "JSON with escapes": lambda name: {"body": " " + json.dumps([{"name": name, "value": SECRET}], indent=1)},
    "JSON in JSON": lambda name: {"body": json.dumps({"body": json.dumps({name: SECRET})})},
}
CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "itself": lambda value: value,
    "list": lambda value: ["a", value],
    "tuple": lambda value: (1, value),
    "mapping": lambda value: {"a": {"b": value}},
    "named tuple": lambda value: Row(1, value),
}


def preview_of(value: Any, recorder: Any) -> str:
    observe(lambda **_all: "fine")(question="hi", data=value)
    text: str = recorder.only.input_preview
    assert text.startswith("hi\n")
    return text


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("place", PLACES)
def test_values_named_as_secrets_are_hidden(recorder, place, container):
    ask = observe(lambda **_all: "fine")
    for name in NAMES:
        ask(question="hi", data=CONTAINERS[container](PLACES[place](name)))
    assert len(recorder.logs) == len(NAMES)
    shown = [log.input_preview for log in recorder.logs]
    assert [text for text in shown if SECRET in text or not text.startswith("hi\n")] == []


@pytest.mark.parametrize("field", ["password", "api_key", "secret_id"])
def test_a_named_tuple_is_treated_as_a_mapping(recorder, field):
    make: Any = collections.namedtuple  # noqa: PYI024 - typing has none that is named at run time
    login = make("Login", ["user", field])("ann", SECRET)
    text = preview_of([login], recorder)
    assert SECRET not in text
    assert '"user": "ann"' in text


def test_a_variable_argument_may_name_the_next_as_a_secret(recorder):
    observe(lambda *_all: "fine")("psql", "--password", SECRET, "mydb")
    assert recorder.only.input_preview == "psql\n--password\nmydb"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"name": "city", "value": "Rome"}, '{"name": "city", "value": "Rome"}'),
        ([("accept", "text/html"), ("user_id", "u1")], '[["accept", "text/html"], ["user_id", "u1"]]'),
        (["ls", "--all", "/tmp"], '["ls", "--all", "/tmp"]'),  # noqa: S108 - no file
        ({"body": '{"a": "b"}'}, '{"body": {"a": "b"}}'),
        ({"body": "{not JSON"}, '{"body": "{not JSON"}'),
        ({"max_tokens": 5, "secret_name": "db", "document_id": "d1"}, None),
        (["Is this the password of a user who left?", "no"], None),
        ({"a": 'She said "hi"\nand left'}, '{"a": "She said "hi"\nand left"}'),
    ],
)
def test_other_values_are_shown(recorder, value, shown):
    assert preview_of(value, recorder) == f"hi\n{shown or json.dumps(value)}"


def test_each_string_value_is_redacted_on_its_own(recorder):
    key = "hunter2" + "zebra"
    cut_off = '{"a": "b", "password": "%s", "more": "' % key  # noqa: UP031 - braces
    text = preview_of({"body": cut_off, "lines": "at\n10.1.2.3"}, recorder)
    assert key not in text
    assert "10.1.2.3" not in text


def test_an_overlong_name_counts_as_secret():
    assert is_secret_name("a" * 257)
    assert not is_secret_name("a" * 256)


@pytest.mark.parametrize("name", ["secret_name", "password_length", "secret_path", "token_ids", "key_id"])
def test_a_name_that_describes_a_secret_is_not_secret(name):
    assert not is_secret_name(name)
