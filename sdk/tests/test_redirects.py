"""LLMClient follows no redirect: it would take the prompt, and perhaps the key, to another host."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import llm_observe
import pytest
from llm_observe.v1.log_pb2 import OUTCOME_ERROR


@pytest.fixture
def asked():
    """Serve redirects to the same server; return its address and the paths that were asked for."""
    paths = []

    class Redirect(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            paths.append(self.path)
            self.send_response(307)
            self.send_header("Location", "/inner/metadata")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_a_redirect_is_an_error(asked, recorder, provider, asynchronous):
    url, paths = asked
    client = llm_observe.LLMClient(provider, api_key="none", base_url=url)

    async def ask() -> None:
        try:
            await client.achat("hello")
        finally:
            await client.aclose()

    with closing(client), pytest.raises(Exception, match=r"307|edirect"):
        if asynchronous:
            asyncio.run(ask())
        else:
            client.chat("hello")
    assert [path for path in paths if "inner" in path] == []
    assert len(paths) == 1
    assert recorder.only.outcome == OUTCOME_ERROR
