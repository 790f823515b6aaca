"""What axe-core, the usual engine for checks of accessibility, finds on a page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from playwright.async_api import Page

_SERIOUS = ("serious", "critical")
_NOT_OURS: dict[str, str] = {}
"""Rules that Streamlit's own elements break, and where; nothing of ours can change them."""


async def find_violations(page: Page, *rules: str) -> list[str]:
    """Return the serious and critical findings, a line each; of all rules, or of those named."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = list(rules)
    await page.evaluate(f"() => window.axe || eval({json.dumps(AXE_SCRIPT)})")
    found = await page.evaluate(f"() => axe.run(document, {json.dumps(options)})")
    return [
        f"{each['id']} ({each['impact']}): {node['target']} {node['html'][:200]} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in _SERIOUS
        for node in each["nodes"]
    ]
