"""Events read as plain JSON answer like the vendors' models."""

from __future__ import annotations

from llm_observe._adapters.parsed import parsed, snake_case


def test_members_are_attributes_and_what_is_missing_is_none():
    chunk = parsed({"choices": [{"delta": {"content": "hi"}}], "usage": None})
    assert chunk.choices[0].delta.content == "hi"
    assert chunk.usage is chunk.choices[0].finish_reason is None
    assert not hasattr(chunk, "__stream__")


def test_googles_names_become_those_of_its_python_types():
    piece = parsed({"usageMetadata": {"promptTokenCount": 3}, "text": "aB"}, snake_case)
    assert (piece.usage_metadata.prompt_token_count, piece.text) == (3, "aB")
