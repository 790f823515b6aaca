"""Events read as plain JSON have the attributes of the vendors' models."""

from __future__ import annotations

from llm_observe._adapters.raw_events import snake_case, to_json_objects


def test_members_are_attributes_and_what_is_missing_is_none():
    chunk = to_json_objects({"choices": [{"delta": {"content": "hi"}}], "usage": None})
    assert chunk.choices[0].delta.content == "hi"
    assert chunk.usage is chunk.choices[0].finish_reason is None
    assert not hasattr(chunk, "__stream__")


def test_googles_names_become_those_of_its_python_types():
    chunk = to_json_objects({"usageMetadata": {"promptTokenCount": 3}, "text": "aB"}, snake_case)
    assert (chunk.usage_metadata.prompt_token_count, chunk.text) == (3, "aB")
