"""A client that disconnects during a write cancels the call, which is no error of the server."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import grpc
import pytest

from server.rpc.pipeline import _write


class Context:
    """A call whose client has disconnected, or whose response cannot be encoded."""

    def __init__(self, error):
        self.error = error

    async def write(self, response):
        raise self.error


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (grpc.aio.InternalError("failed"), asyncio.CancelledError),
        (asyncio.CancelledError(), asyncio.CancelledError),
        (ValueError("cannot be encoded"), ValueError),
    ],
)
async def test_a_write_to_a_disconnected_client_cancels_the_call(raised, becomes):
    with pytest.raises(becomes):
        await _write(cast("Any", Context(raised)), cast("Any", object()))
