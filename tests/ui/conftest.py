"""The app on a server whose answers a test chooses: pages alone, or in a browser."""

from __future__ import annotations

import pytest

from stack import readiness
from streamlit_app import clock
from streamlit_app.components import empty
from streamlit_app.data.connection import forget_connection
from tests.support.ui.app import UNHURRIED_S, running_app
from tests.support.ui.browser import LOOKS, TWO_LOOKS, Look, open_page
from tests.support.ui.fake_server import FakeServer
from tests.support.ui.sample import NOW, serve_sample
from tests.support.ui.sample_logs import log_answers
from tests.support.ui.sample_reports import serve_reports
from tests.support.waiting import eventually


@pytest.fixture(scope="session")
def _fake_server():
    with FakeServer().serving() as fake:
        yield fake


@pytest.fixture
def fake(_fake_server):
    """The server, with the answers of the sample; a test may choose others."""
    _fake_server.answers.clear()
    _fake_server.requests.clear()
    serve_sample(_fake_server)
    _fake_server.answers |= log_answers()
    serve_reports(_fake_server)
    yield _fake_server
    _fake_server.resume()
    _fake_server.delay_s = 0.0


@pytest.fixture
def connected(fake, monkeypatch):
    """Pages in this process read from the fake server, at the time of the sample."""
    monkeypatch.setenv("LLM_OBSERVE_GRPC_PORT", str(fake.port))
    monkeypatch.setenv("LLM_OBSERVE_UI_TIMEOUT_S", UNHURRIED_S)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(empty, "_DRAWING_S", 0)  # no browser draws
    forget_connection()
    yield fake
    forget_connection()


@pytest.fixture(scope="session")
async def _address(_fake_server, browser, tmp_path_factory):
    with running_app(_fake_server.port, tmp_path_factory.mktemp("app") / "app.out") as address:
        await eventually(lambda: readiness.ui_answers(address))
        yield address


@pytest.fixture(scope="session")
async def _hurried_address(_fake_server, browser, tmp_path_factory):
    with running_app(_fake_server.port, tmp_path_factory.mktemp("app") / "hurried.out", "3") as address:
        await eventually(lambda: readiness.ui_answers(address))
        yield address


@pytest.fixture
async def browser_page(fake, browser, _address):
    """A window of 1440 pixels, light."""
    async with open_page(browser, _address, Look(1440, "light")) as page:
        yield page


@pytest.fixture(params=LOOKS, ids=str)
async def look_page(request, fake, browser, _address):
    """A window of each width and theme: for pictures of pages."""
    async with open_page(browser, _address, request.param) as page:
        yield page


@pytest.fixture(params=TWO_LOOKS, ids=str)
async def state_page(request, fake, browser, _address):
    """A wide window in light and a narrow one in dark: for pictures of states."""
    async with open_page(browser, _address, request.param) as page:
        yield page


@pytest.fixture(params=TWO_LOOKS, ids=str)
async def hurried_page(request, fake, browser, _hurried_address):
    """Likewise, of an app that waits 3 s for an answer, as in production: for a server that hangs."""
    async with open_page(browser, _hurried_address, request.param) as page:
        yield page


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that compare pictures by the windows that they ask for."""
    for item in items:
        if {"look_page", "state_page", "hurried_page"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("pictures")
