"""The app in Chromium over ten million logs: its first load in bytes, when numbers come, how it refreshes.

python -m benchmarks.app_load [logs] [groups]: over the data of benchmarks.dashboard, which is made where it
is missing; a first visit, and then visits with what the browser keeps. Nothing else should run: four
processes draw a page. Beside it ``bare_page`` is what Streamlit itself takes for a page with one number.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from benchmarks.dashboard_data import data_folder, fill, kept_machine
from benchmarks.report import report
from stack.readiness import ui_answers
from tests.support.ports import free_port
from tests.support.rpc import answers
from tests.support.ui.browser import running_browser
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page

    from tests.support.machine import Machine

_VISITS = 5
_PAGES = {"dashboard": "/", "dashboard, 30 d": "/?window=30d", "logs": "/logs"}
_BARE_PAGE = "import streamlit as st\nst.metric('Requests', '1')\n"
_WATCHED_S = 50
"""Three refreshes."""
_NUMBERS = """
window.milestones = {};
new MutationObserver(() => {
    for (const [name, selector] of Object.entries({
        skeleton: "[data-testid^=stSkeleton]",
        first_numbers: "[data-testid=stMetricValue], .st-key-logs_wide canvas",
        first_chart: ".stVegaLiteChart svg",
    }))
        if (!(name in window.milestones) && document.querySelector(selector))
            window.milestones[name] = performance.now();
}).observe(document, {childList: true, subtree: true});
"""
"""Notes, in milliseconds since the address was opened, when what a visitor waits for is there."""
_REFRESHES = """
window.seen = {layout_shift: 0, frames: 0, pale_frames: 0, refreshes: new Set()};
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.seen.layout_shift += entry.value;
}).observe({type: "layout-shift"});
const look = () => {
    const header = document.querySelector(".st-key-header")?.innerText.match(/updated ([0-9:]+)/);
    if (header) window.seen.refreshes.add(header[1]);
    window.seen.frames += 1;
    window.seen.pale_frames += [...document.querySelectorAll("[data-stale=true]")].some(
        (element) => getComputedStyle(element).opacity < 1);
    requestAnimationFrame(look);
};
look();
"""


class Traffic:
    """What one page asked for, by the kind that the browser gives it."""

    def __init__(self, host: str) -> None:
        self._host = host
        self.requests: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.outside: list[str] = []
        self._kinds: dict[str, str] = {}

    async def watch(self, page: Page) -> None:
        """Note all that the page asks for from now on."""
        session = await page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._note_request)
        session.on("Network.loadingFinished", self._note_bytes)
        session.on("Network.webSocketFrameReceived", self._note_frame)
        await session.send("Network.enable")

    def _note_request(self, event: dict[str, Any]) -> None:
        url, kind = event["request"]["url"], event["type"]
        self._kinds[event["requestId"]] = kind
        self.requests[kind] += 1
        if not url.startswith((f"http://{self._host}/", "data:", "blob:")):
            self.outside.append(url)

    def _note_bytes(self, event: dict[str, Any]) -> None:
        self.bytes[self._kinds.get(event["requestId"], "Other")] += int(event["encodedDataLength"])

    def _note_frame(self, event: dict[str, Any]) -> None:
        self.bytes["WebSocket"] += len(event["response"]["payloadData"])

    def figures(self) -> dict[str, Any]:
        return {
            "requests": sum(self.requests.values()),
            "megabytes": round(sum(self.bytes.values()) / 1e6, 2),
            "kilobytes_by_kind": {kind: round(size / 1e3) for kind, size in self.bytes.most_common()},
            "outside_the_host": self.outside,
        }


async def visit(
    context: BrowserContext, path: str, traffic: Traffic | None = None, *, last: str = "first_chart"
) -> dict[str, float]:
    """Open an address in a new window; return when what was there, in milliseconds, until ``last`` was."""
    page = await context.new_page()
    if traffic:
        await traffic.watch(page)
    await page.goto(path)
    await page.wait_for_function("() => 'first_numbers' in window.milestones")
    await page.wait_for_function("(last) => last in window.milestones", arg=last)
    await page.wait_for_load_state("networkidle")
    milestones: dict[str, float] = await page.evaluate("() => window.milestones")
    await page.close()
    return milestones


async def open_context(browser: Browser, host: str) -> BrowserContext:
    """Return a browser that has seen nothing yet."""
    context = await browser.new_context(base_url=f"http://{host}", viewport={"width": 1440, "height": 900})
    context.set_default_timeout(120_000)
    await context.add_init_script(_NUMBERS)
    return context


def times(visits: list[dict[str, float]], milestone: str) -> dict[str, int]:
    """Return when something was there in several visits."""
    reached = [each[milestone] for each in visits]
    return {"p50_ms": round(statistics.median(reached)), "best_ms": round(min(reached))}


async def measure_bare_page(browser: Browser, host: str) -> dict[str, Any]:
    """Return when a page that has one number and nothing else shows it."""
    context = await open_context(browser, host)
    first = await visit(context, "/", last="first_numbers")
    visits = [await visit(context, "/", last="first_numbers") for _ in range(_VISITS)]
    await context.close()
    return {
        "first_visit_ms": round(first["first_numbers"]),
        "further_visits": times(visits, "first_numbers"),
    }


async def watch_refreshes(context: BrowserContext) -> dict[str, Any]:
    """Return how much moved, and in how many frames anything was pale, while an open page refreshed."""
    page = await context.new_page()
    await page.goto("/")
    await page.locator(".stVegaLiteChart svg").first.wait_for()
    await page.wait_for_timeout(5_000)
    await page.evaluate(_REFRESHES)
    await page.wait_for_timeout(_WATCHED_S * 1_000)
    seen: dict[str, Any] = await page.evaluate(
        "() => ({...window.seen, refreshes: window.seen.refreshes.size - 1})"
    )
    await page.close()
    return seen


async def measure(browser: Browser, host: str, services: Machine) -> dict[str, Any]:
    """Return all figures of the app at an address."""
    context = await open_context(browser, host)
    traffic = Traffic(host)
    first = await visit(context, "/", traffic)
    again: dict[str, Any] = {}
    for name, path in _PAGES.items():
        used = services.cpu_s()
        visits = [await visit(context, path) for _ in range(_VISITS)]
        cpu_ms = {each: round((s - used[each]) * 1000 / _VISITS) for each, s in services.cpu_s().items()}
        again[name] = {"cpu_ms_a_visit": cpu_ms} | {
            milestone: times(visits, milestone) for milestone in ("first_numbers", "first_chart")
        }
    return {
        "first_load": traffic.figures(),
        "first_visit_ms": {name: round(value) for name, value in first.items()},
        "further_visits": again,
        "refreshes": await watch_refreshes(context),
        "load_average": os.getloadavg()[0],
    }


async def run(host: str, bare: str, port: int, services: Machine) -> dict[str, Any]:
    await eventually(lambda: answers(port))
    await eventually(lambda: ui_answers(host))
    await eventually(lambda: ui_answers(bare))
    async with running_browser() as browser:
        return {
            "bare_page": await measure_bare_page(browser, bare),
            **await measure(browser, host, services),
        }


def start_bare_page(services: Machine) -> str:
    """Start Streamlit with a page of one number; return its host."""
    script, port = services.home.root / "bare_page.py", free_port()
    script.write_text(_BARE_PAGE)
    services.start(
        "bare_page", "streamlit", "run", str(script), "--server.address=127.0.0.1", f"--server.port={port}",
        "--server.headless=true", "--server.fileWatcherType=none", "--browser.gatherUsageStats=false",
    )  # fmt: skip
    return f"127.0.0.1:{port}"


def main() -> None:
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    groups = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with kept_machine(data_folder(logs, groups)) as services:
        asyncio.run(fill(services.env["DATABASE_URL"], logs, groups))
        port, ui_port = free_port(), free_port()
        ports = {"LLM_OBSERVE_GRPC_PORT": str(port), "LLM_OBSERVE_UI_PORT": str(ui_port)}
        for module in ("server", "streamlit_app"):
            services.start(module, module, **ports)
        bare = start_bare_page(services)
        figures = asyncio.run(run(f"127.0.0.1:{ui_port}", bare, port, services))
    report(benchmark="app_load", logs=logs, groups=groups, **figures)


if __name__ == "__main__":
    main()
