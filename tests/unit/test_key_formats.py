"""docs/key-formats.md lists the formats that the code knows, with sources."""

from __future__ import annotations

import re
from pathlib import Path

from llm_observe._redaction.prefixes import ALL

TEXT = (Path(__file__).parents[2] / "docs/key-formats.md").read_text()
ROWS = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| (20\d\d-\d\d) \|$", TEXT, re.MULTILINE)


def test_every_prefix_is_documented():
    assert {row[0] for row in ROWS} == {prefix.text for prefix in ALL}


def test_at_least_two_hundred_have_a_public_source():
    assert sum("not read again" not in row[2] for row in ROWS) >= 200
