"""The request id that a log has is the one that the client's own headers show."""

from __future__ import annotations

import httpx2
import pytest
from llm_observe._call import Call
from llm_observe._providers.ids import note_http

NAMES = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"X-Request-Id", b"a")],
        [(b"request-id", b"a"), (b"x-request-id", b"b")],
        [(b"x-request-id", b""), (b"request-id", b"b")],
        [(b"x-request-id", b"a"), (b"X-Request-ID", b"b")],
        [(b"x-request-id", b"\xe9")],
        [(b"x-request-id", "\u00e9".encode())],
        [(b"x-request-id", b"a"), (b"server", b"\xe9")],
    ],
)
def test_the_request_id_is_read_as_by_httpx(headers):
    response = httpx2.Response(200, headers=headers, request=httpx2.Request("POST", "https://localhost"))
    call = Call("openai", "chat", "m", lambda _: None)
    note_http(response, call)
    assert call.provider_request_id == next(filter(None, map(response.headers.get, NAMES)), "")
