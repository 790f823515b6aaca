"""A pytest plugin: property tests run with the same examples each time, or with many random ones.

`make fuzz-properties` does the latter.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, database=None, deadline=None, max_examples=100)
settings.register_profile("random", database=None, deadline=None, max_examples=1_000, print_blob=True)
settings.load_profile("fixed")  # pytest's --hypothesis-profile=random overrides it


def examples(count: int) -> settings:
    """Return the settings of a test that needs so many examples; the random profile multiplies them."""
    return settings(max_examples=count * settings().max_examples // 100)
