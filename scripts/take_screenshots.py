"""Takes the pictures of the README.

python -m scripts.take_screenshots 127.0.0.1:8501 [127.0.0.1:50051 [name...]]: the addresses are those of a
running app and its server, with `llm-observe demo-traffic` in it. The pictures go to docs/images, each in
light and in dark: look at them before they are committed.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.filter_pb2 import TimeRange
from PIL import Image

from tests.support.ui.browser import Look, answered, open_page, running_browser

if TYPE_CHECKING:
    from playwright.async_api import Page

FOLDER: Final = Path(__file__).parent.parent / "docs" / "images"
_COLOURS: Final = 200
_STILL_MS: Final = 2_000
"""How long nothing changes on a page that is drawn."""


class Shot(NamedTuple):
    """A picture: its name, the page's address, and what is there when the page is drawn."""

    name: str
    path: str
    drawn: str


def shots(server: str) -> list[Shot]:
    """Return what is to be taken, of calls that the server has."""
    failed, trace = find_calls(server)
    return [
        Shot("dashboard", "/", "[aria-label^='Latency']"),
        Shot("logs", "/logs?provider=openai&provider=anthropic", ".st-key-logs_wide canvas"),
        Shot("call", f"/logs?log={failed}", "[role=dialog] .timing"),
        Shot("trace", f"/trace?trace={trace}", "[role=treeitem]"),
        Shot("report", "/analytics?report=hours-of-day&window=7d", ".stVegaLiteChart svg"),
        Shot("operations", "/operations", ".st-key-verdict"),
    ]


def find_calls(server: str) -> tuple[str, str]:
    """Return the newest failed call, and the trace with the most calls of those before."""
    now, window = datetime.now(UTC), TimeRange()
    window.start_time.FromDatetime(now - timedelta(days=7))
    window.end_time.FromDatetime(now)
    with grpc.insecure_channel(server) as channel:
        request = pb.ListLogsRequest(time_range=window, page_size=1000)
        logs = AnalyticsServiceStub(channel).ListLogs(request).logs
    traces = Counter(log.trace_id for log in logs if log.trace_id)
    return next(log.log_id for log in logs if log.error_code), traces.most_common(1)[0][0]


async def take(page: Page, shot: Shot, theme: str) -> None:
    """Keep a picture of the window, in few colours."""
    await page.goto(shot.path)
    await page.locator(shot.drawn).first.wait_for(state="attached")
    await answered(page)
    picture = await _drawn(page)
    image = Image.open(io.BytesIO(picture)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    image.save(FOLDER / f"{shot.name}-{theme}.png", optimize=True)


async def _drawn(page: Page) -> bytes:
    """Return a picture of the page that changes no more: tables and charts draw themselves one by one."""
    last = b""
    while True:
        await page.wait_for_timeout(_STILL_MS)
        picture = await page.screenshot(animations="disabled", caret="hide")
        if picture == last:
            return picture
        last = picture


async def main(app: str, server: str = "127.0.0.1:50051", *names: str) -> None:
    """Take all pictures, or those named."""
    wanted = [shot for shot in shots(server) if not names or shot.name in names]
    async with running_browser() as browser:
        for theme in ("light", "dark"):
            async with open_page(browser, app, Look(1440, theme)) as page:
                for shot in wanted:
                    await take(page, shot, theme)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
