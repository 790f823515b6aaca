"""The documentation site in a real browser: it has a search, and asks nobody else for anything."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.support.repository import ROOT

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
GENERATOR = ROOT / ".venv-docs/bin/zensical"
PAGES = (
    "index.html",
    "start.html",
    "ARCHITECTURE.html",
    "api/ingest-service.html",
    "decisions/0031-site.html",
)


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Write nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    if not GENERATOR.exists() or CHROMIUM is None:
        pytest.skip("needs Chromium, and the generator: make docs-site")
    subprocess.run([sys.executable, "scripts/build_site.py", GENERATOR], cwd=ROOT, check=True)
    handler = functools.partial(_Files, directory=str(ROOT / "build/site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


async def test_pages_and_search_ask_nobody_else(site: str):
    from playwright.async_api import async_playwright  # noqa: PLC0415 - skipped above where there is no browser

    requested: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page()
        page.on("request", lambda request: requested.append(request.url))
        for name in PAGES:
            answer = await page.goto(site + name, wait_until="networkidle")
            assert answer is not None
            assert answer.ok, name
        await page.keyboard.press("/")
        await page.get_by_placeholder("Search").fill("retention")
        await page.get_by_text("results", exact=False).first.wait_for()
        await browser.close()
    assert [url for url in requested if not url.startswith((site, "data:", "blob:"))] == []
