"""Chromium, for tests of pages: how they look, and that they ask nobody but their own host for anything."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from playwright.async_api import Browser, ConsoleMessage, Locator, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--font-render-hinting=none", "--hide-scrollbars",
]  # fmt: skip
_HEIGHT = 900
_ROW_PX, _HEAD_PX = 32, 36
_CLICK_MS = 20_000
"""How long a click on a row may take to act before it is made again."""
_WHOLE_HEIGHT = """() => {
    const height = (id) => document.querySelector(`[data-testid=${id}]`)?.scrollHeight ?? 0;
    return Math.max(900, height("stMainBlockContainer") + height("stBottomBlockContainer") + 60);
}"""
"""How high a window is that shows all of the page."""
_UNCHANGED = """() => new Promise(done => {
    let timer = setTimeout(done, 300);
    new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(done, 300); })
        .observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
})"""
"""Waits until nothing in the page has changed for 300 ms."""
_HARMLESS = ("Infinite extent",)
"""Warnings of Vega on a chart without data."""
_PROBES = ("/_stcore/health", "/_stcore/host-config")
"""What Streamlit looks for beside a page that is opened by its own address, before it looks at the root."""


class Look(NamedTuple):
    """How wide the window is, and which theme the visitor prefers."""

    width: int
    theme: str

    def __str__(self) -> str:
        return f"{self.width}-{self.theme}"


LOOKS = [Look(width, theme) for width in (1440, 390) for theme in ("light", "dark")]
TWO_LOOKS = [Look(1440, "light"), Look(390, "dark")]


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    from playwright.async_api import async_playwright  # noqa: PLC0415 - skipped above where there is no browser

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield browser
        await browser.close()


@asynccontextmanager
async def open_page(browser: Browser, address: str, look: Look, *also: str) -> AsyncIterator[Page]:
    """Open a window on the app; at the end, assert that it logged no error and asked no other host.

    ``also`` are addresses that it may ask: of a login's provider.
    """
    context = await browser.new_context(
        base_url=f"http://{address}",
        viewport={"width": look.width, "height": _HEIGHT},
        color_scheme=look.theme,  # type: ignore[arg-type] # light or dark
        timezone_id="Europe/Berlin",
        locale="en-GB",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    page.set_default_timeout(WAIT_S * 1000)
    requested: list[str] = []
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.location.get("url", "").endswith(_PROBES):
            return
        if message.type == "error" and not message.text.startswith(_HARMLESS):
            errors.append(message.text)

    page.on("request", lambda request: requested.append(request.url))
    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    own = (f"http://{address}/", f"blob:http://{address}/", "data:", *(f"http://{other}/" for other in also))
    outside = [url for url in requested if not url.startswith(own)]
    assert outside == [], outside
    assert errors == [], errors
    await context.close()


async def click_row(table: Locator, number: int, *, opens: Locator) -> None:
    """Click on a row of a table until what it opens is there: rows are drawn some time after the table."""
    from playwright.async_api import TimeoutError as TooLateError  # noqa: PLC0415 - as above

    place = {"x": 60, "y": _HEAD_PX + _ROW_PX * number + _ROW_PX // 2}
    while not await opens.is_visible():
        with suppress(TooLateError):
            await table.locator(".dvn-scroller").first.click(position=place, timeout=_CLICK_MS)  # type: ignore[arg-type] # a Position
            await opens.wait_for(timeout=_CLICK_MS)


async def answered(page: Page) -> None:
    """Wait until the page shows all that it was asked for."""
    await page.get_by_test_id(
        "stMainBlockContainer"
    ).wait_for()  # stMain is absent beside an input at the bottom
    await page.wait_for_function(
        "() => !document.querySelector('[data-testid^=stSkeleton],[data-testid=stStatusWidget]')"
        " && !document.querySelector('[data-stale=true]')"
    )
    assert await page.get_by_test_id("stException").count() == 0


async def settled(page: Page) -> None:
    """Wait until the page changes no more, in a window that shows all of it."""
    while True:
        await answered(page)
        await page.evaluate(_UNCHANGED)
        if not await _grow(page):
            return


async def _grow(page: Page) -> bool:
    """Make the window as high as the page; return whether it was not."""
    height = await page.evaluate(_WHOLE_HEIGHT)
    size = page.viewport_size or {"width": 0, "height": 0}
    if size["height"] == height:
        return False
    await page.set_viewport_size({"width": size["width"], "height": height})
    return True


async def picture_of(page: Page) -> bytes:
    """Wait until the page looks the same twice; return a picture of all of it."""
    last = b""
    while True:
        await answered(page)
        await _grow(page)
        await page.mouse.move(0, 0)
        picture = await page.screenshot(animations="disabled", caret="hide")
        if picture == last:
            return picture
        last = picture
        await page.wait_for_timeout(300)  # two pictures without a frame between them would always be alike
