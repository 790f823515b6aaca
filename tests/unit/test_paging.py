"""A page token continues only the request that it came from."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from llm_observe.v1.admin_service_pb2 import ListDeadLettersRequest, QueryLedgerRequest
from llm_observe.v1.analytics_service_pb2 import ListErrorsRequest

from server.rpc.errors import PageTokenMismatch
from server.rpc.paging import Page, read_cursor

TIME = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)
KEY = (TIME, UUID(int=7))


def token_of(request, key=KEY) -> str:
    return Page.of([1, 2], 1, request, lambda _: key).next_page_token


@pytest.mark.parametrize(
    ("row_count", "size", "shown", "more"), [(0, 2, [], False), (2, 2, [0, 1], False), (3, 2, [0, 1], True)]
)
def test_a_page_has_a_token_when_another_follows(row_count, size, shown, more):
    request = ListErrorsRequest(page_size=size)
    page = Page.of(range(row_count), size, request, lambda row: (str(row),))
    assert list(page.rows) == shown
    assert bool(page.next_page_token) is more
    if more:
        assert read_cursor(request, page.next_page_token, str) == (str(shown[-1]),)


def test_a_cursor_survives_the_round_trip():
    request = ListErrorsRequest()
    key = (TIME, uuid4(), TIME, TIME)
    assert read_cursor(request, token_of(request, key), datetime, UUID, datetime, datetime) == key
    assert read_cursor(request, "", str) is None


def test_the_page_size_may_change():
    token = token_of(ListErrorsRequest(page_size=5))
    again = ListErrorsRequest(page_size=9, page_token=token)
    assert read_cursor(again, token, datetime, UUID) == KEY


def test_a_token_is_refused_for_other_arguments_or_methods():
    token = token_of(ListErrorsRequest())
    other = ListErrorsRequest()
    other.filter.providers.append("openai")
    for request in (other, QueryLedgerRequest(), ListDeadLettersRequest()):
        with pytest.raises(PageTokenMismatch):
            read_cursor(request, token, datetime, UUID)


def forged(*parts) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "\u00e9",
        "=" * 9,
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        forged(),
        forged(2, "0" * 16),
        forged(2, "0" * 16, "2026-01-01T00:00:00+00:00", str(uuid4())),
        forged(1, "0" * 16, "2026-01-01T00:00:00+00:00", str(uuid4())),
        forged(2, "0" * 16, "0001-01-01T00:00:00+23:00", str(uuid4())),
        forged(2, "0" * 16, 5, [1]),
        forged(2, {}, None, None),
        base64.urlsafe_b64encode(b'{"a": 1}').decode(),
        base64.urlsafe_b64encode(b"7").decode(),
    ],
)
def test_a_forged_token_is_refused(token):
    with pytest.raises(PageTokenMismatch):
        read_cursor(ListErrorsRequest(), token, datetime, UUID)
