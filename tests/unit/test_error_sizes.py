"""Texts of errors fit in headers, whatever is in them, and hold nothing that a terminal obeys."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from server.reports.errors import ReportNotFound, SqlHasMistake
from server.rpc.error_texts import MAX_HEADER_BYTES, may_be_id, to_error_text
from server.rpc.errors import ApiError, InvalidField, ProjectNotFound
from tests.support.text_fields import HOSTILE

GRPC_SOFT_LIMIT_BYTES = 8 * 1024
"""From here on gRPC refuses answers for the size of their headers."""
LONGEST = {**HOSTILE, "ASCII": "a" * 20_000, "percent": "%" * 20_000, "pictures": "\U0001f600" * 20_000}


def header_bytes(error: ApiError) -> int:
    """Return how long the two headers are that gRPC makes of an error."""
    message = quote(error.message, safe="".join(map(chr, range(32, 127))).replace("%", ""))
    return len(message) + len(base64.b64encode(error.to_status().SerializeToString()))


@pytest.mark.parametrize("kind", LONGEST)
@pytest.mark.parametrize(
    "make", [SqlHasMistake, ProjectNotFound, ReportNotFound, lambda text: InvalidField([("name", text)])]
)
def test_an_error_fits_in_headers(make, kind):
    error = make(LONGEST[kind])
    assert header_bytes(error) < GRPC_SOFT_LIMIT_BYTES
    assert all(char.isprintable() or char == "\n" for char in error.message)


def test_only_what_is_too_long_is_cut():
    assert to_error_text("a" * MAX_HEADER_BYTES) == "a" * MAX_HEADER_BYTES
    assert to_error_text("a" * MAX_HEADER_BYTES + "b") == "a" * MAX_HEADER_BYTES
    assert to_error_text("ü\n" * 1_000) == "ü\n" * (MAX_HEADER_BYTES // 9) + "ü"
    assert to_error_text("a\x00\x1b\u202eb") == "a\ufffd\ufffd\ufffdb"


@pytest.mark.parametrize(
    ("text", "shaped"),
    [
        *((text, True) for text in ("default", "0198a1b2-0000-7000", "a_b", "a" * 64)),
        *((text, False) for text in ("", "a b", "a\n", "ä", "a" * 65)),
    ],
)
def test_what_may_be_an_id(text, shaped):
    assert may_be_id(text) is shaped
