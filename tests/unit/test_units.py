"""Durations, sizes and counts for people."""

from __future__ import annotations

import pytest

from stack.cli.units import count_of, format_duration, format_size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0016, "1.6 ms"), (0.25, "250.0 ms"), (1, "1 s"), (59.9, "59 s"), (60, "1 min"), (125, "2 min 5 s"),
        (3600, "1 h"), (3605, "1 h"), (3700, "1 h 1 min"), (86_400, "1 d"), (90_000, "1 d 1 h"),
        (200_000, "2 d 7 h"),
    ],
)  # fmt: skip
def test_durations(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (182_400_000, "182 MB"), (1_440_000_000, "1.4 GB"),
        (5e15, "5000 TB"),
    ],
)  # fmt: skip
def test_sizes(size, text):
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 logs"), (1, "1 log"), (2, "2 logs"), (12_345, "12,345 logs")]
)
def test_counts(number, text):
    assert count_of(number, "log") == text
