"""What axe-core, the usual engine for checks of accessibility, finds on a page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from playwright.async_api import Page

_SERIOUS = ("serious", "critical")
_NOT_OURS = (
    # Vega draws these inside charts, each of which has a label that says what it shows.
    ("svg-img-alt", "brush"),
    ("svg-img-alt", "highlighted_points"),
)
"""Findings in what Streamlit draws, and nothing of ours can change: the rule, and a part of the element."""


async def find_violations(page: Page, *rules: str) -> list[str]:
    """Return the serious and critical findings, a line each: of all rules, or of those named."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = list(rules)
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    found = await page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{each['id']}: {json.dumps(node['target'])} {node['html']} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in _SERIOUS
        for node in each["nodes"]
        if not any(each["id"] == rule and part in node["html"] for rule, part in _NOT_OURS)
    ]
