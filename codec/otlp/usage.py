"""Counts of tokens, brought to one algebra.

Input includes what was read from a cache and written to it, output includes reasoning, and what nobody said
is absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from codec.otlp.values import dig, to_count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codec.otlp.values import Value

COUNTS: Final = (
    "input", "output", "total", "cache_read", "cache_write", "cache_write_1h", "reasoning", "audio_input",
    "audio_output",
)  # fmt: skip


class Usage(NamedTuple):
    """What a call used, as one source tells it."""

    input: int | None = None
    output: int | None = None
    total: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    disjoint_input: bool = False
    """Whether input leaves out what was read from a cache and written to it."""

    def __bool__(self) -> bool:
        """Tell whether the source counted anything that a call is measured by."""
        return self.input is not None or self.output is not None

    def with_details_of(self, other: Usage) -> Usage:
        """Fill in what this one does not say; input and output must come from one source."""
        missing = {name: getattr(other, name) for name in COUNTS[2:] if getattr(self, name) is None}
        return self._replace(**missing)

    def normalized(self) -> Usage:
        """Return the counts in our algebra."""
        cached, reasoning = (self.cache_read or 0) + (self.cache_write or 0), self.reasoning or 0
        input_, output = self.input, self.output
        # A total that is larger than both by just the one or the other says that they leave it out.
        left_out = (self.total or 0) - (input_ or 0) - (output or 0)
        both = cached + reasoning
        if input_ is not None and cached:
            is_apart = self.disjoint_input or cached > input_ or left_out in {cached, both}
            input_ += cached if is_apart else 0
        if output is not None and reasoning:
            is_apart = reasoning > output or left_out in {reasoning, both}
            output += reasoning if is_apart else 0
        corrected = (input_, output) != (self.input, self.output)
        total = None if corrected else self.total
        if total is None and input_ is not None and output is not None:
            total = input_ + output
        return self._replace(input=input_, output=output, total=total, disjoint_input=False)


def of_counts(counts: Mapping[str, int | None]) -> Usage:
    """Return the usage that has these counts, by name."""
    get = counts.get
    return Usage(
        get("input"), get("output"), get("total"), get("cache_read"), get("cache_write"),
        get("cache_write_1h"), get("reasoning"), get("audio_input"), get("audio_output"),
    )  # fmt: skip


def read_keys(values: Mapping[str, Value], keys: Mapping[str, Sequence[str]]) -> Usage:
    """Return the usage that stands under the first known of each count's keys."""
    return of_counts({name: _first(values.get, names) for name, names in keys.items()})


def read_paths(value: Value, paths: Mapping[str, Sequence[Sequence[str]]]) -> Usage:
    """Return the usage in nested objects, under the first known of each count's paths."""
    return of_counts(
        {name: _first(lambda path: dig(value, *path), options) for name, options in paths.items()}
    )


def _first(get: Callable[..., Value], keys: Sequence[object]) -> int | None:
    for key in keys:
        value = get(key)
        if value is not None and (count := to_count(value)) is not None:
            return count
    return None


VENDOR_PATHS: Final[dict[str, Sequence[Sequence[str]]]] = {
    "input": (("prompt_tokens",), ("input_tokens",), ("prompt_token_count",), ("promptTokenCount",)),
    "output": (
        ("completion_tokens",),
        ("output_tokens",),
        ("candidates_token_count",),
        ("candidatesTokenCount",),
    ),
    "total": (("total_tokens",), ("total_token_count",), ("totalTokenCount",)),
    "cache_read": (
        ("prompt_tokens_details", "cached_tokens"),
        ("input_tokens_details", "cached_tokens"),
        ("input_token_details", "cache_read"),
        ("cache_read_input_tokens",),
        ("cached_content_token_count",),
        ("cachedContentTokenCount",),
    ),
    "cache_write": (
        ("cache_creation_input_tokens",),
        ("input_token_details", "cache_creation"),
        ("prompt_tokens_details", "cache_write_tokens"),
    ),
    "reasoning": (
        ("completion_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
        ("output_token_details", "reasoning"),
        ("thoughts_token_count",),
        ("thoughtsTokenCount",),
    ),
    "audio_input": (("prompt_tokens_details", "audio_tokens"), ("input_token_details", "audio")),
    "audio_output": (("completion_tokens_details", "audio_tokens"), ("output_token_details", "audio")),
}
"""Where the vendors' own usage objects have the counts, and LangChain's usage_metadata."""


def read_vendor_usage(value: Value) -> Usage:
    """Return what a vendor's usage object says."""
    usage = read_paths(value, VENDOR_PATHS)
    # Anthropic's own object counts input without what is cached.
    anthropic = (
        dig(value, "cache_creation_input_tokens") is not None and dig(value, "input_tokens") is not None
    )
    return usage._replace(disjoint_input=anthropic and dig(value, "prompt_tokens") is None)
