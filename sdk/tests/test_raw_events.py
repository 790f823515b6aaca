"""Events read as raw JSON have the attributes of the vendors' models."""

from __future__ import annotations

from llm_observe._providers.fields import snake_case, to_json_objects


def test_json_members_are_attributes_and_missing_ones_are_none():
    chunk = to_json_objects({"choices": [{"delta": {"content": "hi"}}], "usage": None})
    assert chunk.choices[0].delta.content == "hi"
    assert chunk.usage is chunk.choices[0].finish_reason is None
    assert not hasattr(chunk, "__stream__")


def test_googles_camel_case_names_become_snake_case():
    chunk = to_json_objects({"usageMetadata": {"promptTokenCount": 3}, "text": "aB"}, snake_case)
    assert (chunk.usage_metadata.prompt_token_count, chunk.text) == (3, "aB")
