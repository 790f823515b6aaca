"""A click anywhere on a card or tile opens what is behind it, not on its title alone."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.ui.browser import answered
from tests.support.ui.sample_chats import conversation_id, serve_chats

pytestmark = pytest.mark.browser
PLACES = [(0.03, 0.06), (0.5, 0.5), (0.03, 0.94), (0.97, 0.94)]
"""Places on a card: shares of its width and height. Top right is the help, or the exact time."""
TARGETS = """(card, places) => {
    card.scrollIntoView({block: "center"});
    const box = card.getBoundingClientRect();
    return places.map(([across, down]) => document
        .elementFromPoint(box.left + across * box.width, box.top + down * box.height)
        ?.closest("a, button")?.querySelector("p")?.innerText ?? "nothing");
}"""
"""What a click at each of the places would hit."""
CARDS = [
    ("/?provider=openai", "number_3", "What is behind: Latency p95", "/logs", {"provider": ["openai"]}),
    ("/", "number_5", "What is behind: Cost", "/analytics", {"report": ["expensive-calls"]}),
    ("/analytics", "tile_cost", "Cost", "/analytics", {"report": ["cost"]}),
    (
        "/conversations",
        f"card_{conversation_id(1)}",
        "Refund letter for order 20417",
        "/conversations",
        {"conversation": [conversation_id(1)]},
    ),
]


@pytest.mark.parametrize(("address", "key", "link", "path", "query"), CARDS)
async def test_a_click_anywhere_on_a_card_opens_what_is_behind_it(
    address, key, link, path, query, browser_page, fake
):
    serve_chats(fake)
    page = browser_page
    await page.goto(address)
    card = page.locator(f".st-key-{key}")
    await card.wait_for()
    await answered(page)
    hit = await card.evaluate(TARGETS, PLACES)
    assert hit == [link] * len(PLACES)

    box = await card.bounding_box()
    across, down = PLACES[-1]
    await card.click(position={"x": box["width"] * across, "y": box["height"] * down})
    await page.wait_for_url(lambda url: urlsplit(url).path == path and query.items() <= query_of(url).items())


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)
