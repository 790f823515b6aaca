"""Login with a provider: in Chromium, there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stack import readiness
from tests.support.oidc import Provider
from tests.support.ports import free_port
from tests.support.ui.app import running_app
from tests.support.ui.browser import Look, open_page
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from playwright.async_api import Page

ADA, GRACE, EVE = "ada@example.com", "grace@example.com", "eve@example.net"
DAY_S = 86_400


@pytest.fixture(scope="module")
def _provider():
    with Provider(ADA, GRACE, EVE).serving() as provider:
        yield provider


@pytest.fixture
def provider(_provider):
    _provider.token_age_s = 0
    _provider.claims = {}
    return _provider


@pytest.fixture(scope="module")
async def _app(_fake_server, browser, _provider, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    port = free_port()
    secrets = home / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text(_provider.secrets_toml(f"127.0.0.1:{port}"), encoding="utf-8")
    variables = {
        "HOME": str(home),
        "LLM_OBSERVE_UI_LOGIN": "true",
        "LLM_OBSERVE_UI_USERS": f"{ADA}=admin,@example.com=read",
    }
    with running_app(_fake_server.port, home / "app.out", port=port, variables=variables) as address:
        await eventually(lambda: readiness.ui_answers(address))
        yield address


@pytest.fixture
async def visit(fake, provider, browser, _app):
    """A window on the app, which may ask the provider, too, and nobody else."""
    async with open_page(browser, _app, Look(1440, "light"), provider.address) as page:
        await page.goto("/")
        yield page


async def sign_in(page: Page, email: str) -> None:
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name=email).click()


async def test_a_visitor_signs_in_and_out(visit, provider, fake):
    await visit.get_by_role("button", name="Sign in").wait_for()
    assert fake.requests == []
    await sign_in(visit, ADA)
    await visit.get_by_test_id("stSidebar").get_by_text(ADA).wait_for()
    await visit.get_by_role("heading", name="Dashboard").wait_for()
    await visit.reload()
    await visit.get_by_test_id("stSidebar").get_by_text(ADA).wait_for()
    ended = provider.ended_sessions
    await visit.get_by_role("button", name="Sign out").click()
    await visit.get_by_role("button", name="Sign in").wait_for()
    assert provider.ended_sessions == ended + 1
    await visit.reload()
    await visit.get_by_role("button", name="Sign in").wait_for()


async def test_who_is_not_listed_is_refused_and_may_take_another_account(visit, fake):
    await sign_in(visit, EVE)
    await visit.get_by_text(f"signed in as {EVE}, who may not use this app").wait_for()
    assert fake.requests == []
    await visit.get_by_role("button", name="Sign out").click()
    await sign_in(visit, ADA)
    await visit.get_by_test_id("stSidebar").get_by_text(ADA).wait_for()


async def test_an_address_that_the_provider_has_not_verified_is_refused(visit, provider):
    provider.claims = {"email_verified": False}
    await sign_in(visit, ADA)
    await visit.get_by_text("who may not use this app").wait_for()


async def test_who_refuses_at_the_provider_comes_back_to_the_sign_in(visit):
    await sign_in(visit, "refuse")
    await visit.get_by_text("Back here without being signed in?").wait_for()


async def test_a_session_ends_and_the_visitor_signs_in_again(visit, provider, fake):
    provider.token_age_s = DAY_S
    await sign_in(visit, ADA)
    await visit.get_by_text(f"Your session of {ADA} has ended").wait_for()
    assert fake.requests == []
    provider.token_age_s = 0
    await sign_in(visit, ADA)
    await visit.get_by_role("heading", name="Dashboard").wait_for()


async def test_pages_are_closed_to_who_lacks_the_role(visit):
    await sign_in(visit, GRACE)
    await visit.get_by_role("heading", name="Dashboard").wait_for()
    await visit.goto("/chat")
    await visit.get_by_text("This needs the role chat").wait_for()
    assert await visit.get_by_test_id("stChatInput").count() == 0
