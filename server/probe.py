"""`python -m server health` asks grpc.health.v1 whether this machine's server serves, by sockets alone.

Importing gRPC takes several times as long as the whole check does, and a container is checked every few
seconds. So its one request is written by hand: HTTP/2's preface, a HEADERS and a DATA frame. Of the answer
only DATA matters.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT_S: Final = 5.0
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS = 0x1, 0x4
_STREAM: Final = 1
_EMPTY_MESSAGE: Final = bytes(5)
"""gRPC's prefix (not compressed, 0 bytes) of an empty HealthCheckRequest: the server as a whole."""
_SERVING: Final = b"\x00\x00\x00\x00\x02\x08\x01"
"""HealthCheckResponse with status = SERVING, prefix included."""
_PATH: Final = b"/grpc.health.v1.Health/Check"


def main() -> int:
    """Return 0 if the server serves, else 1, and say why not."""
    try:
        problem = _find_problem(os.environ)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    if problem:
        sys.stderr.write(f"{problem}\n")
    return int(bool(problem))


def reachable_host(host: str) -> str:
    """Return where a process of this machine reaches a server that listens on ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.strip("[]"), host.strip("[]"))


def _find_problem(env: Mapping[str, str]) -> str:
    host = reachable_host(env.get("LLM_OBSERVE_GRPC_HOST") or "127.0.0.1")
    port = int(env.get("LLM_OBSERVE_GRPC_PORT") or 50051)
    with _connect(host, port, env) as connection:
        connection.sendall(_request(b"https" if env.get("LLM_OBSERVE_SERVER_TLS_CERT_FILE") else b"http"))
        return "" if _SERVING in _answer(connection) else f"{host}:{port} does not serve"


def _connect(host: str, port: int, env: Mapping[str, str]) -> socket.socket:
    connection = socket.create_connection((host, port), _TIMEOUT_S)
    if not env.get("LLM_OBSERVE_SERVER_TLS_CERT_FILE"):
        return connection
    import ssl  # noqa: PLC0415 - takes as long as all the rest

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # It talks to its own machine, by an address that no certificate names, and sends no secret.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    if env.get("LLM_OBSERVE_TLS_CERT_FILE"):
        context.load_cert_chain(env["LLM_OBSERVE_TLS_CERT_FILE"], env.get("LLM_OBSERVE_TLS_KEY_FILE") or None)
    elif env.get("LLM_OBSERVE_SERVER_TLS_CLIENT_CA_FILE"):
        raise ValueError(
            "the server requires client certificates: set LLM_OBSERVE_TLS_CERT_FILE for this check"
        )
    return context.wrap_socket(connection)


def _request(scheme: bytes) -> bytes:
    headers = b"".join((
        b"\x83",  # :method: POST
        b"\x86" if scheme == b"http" else b"\x87",
        _literal(b"\x04", _PATH),
        _literal(b"\x01", b"localhost"),  # :authority
        _literal(b"\x0f\x10", b"application/grpc"),  # content-type
        _literal(b"\x00\x02te", b"trailers"),
    ))  # fmt: skip
    return b"".join((
        _PREFACE,
        _frame(_SETTINGS, 0, 0, b""),
        _frame(_HEADERS, _END_HEADERS, _STREAM, headers),
        _frame(_DATA, _END_STREAM, _STREAM, _EMPTY_MESSAGE),
    ))  # fmt: skip


def _literal(name: bytes, value: bytes) -> bytes:
    """Encode a header (RFC 7541, 6.2.2) whose value is shorter than 127 bytes."""
    return name + bytes((len(value),)) + value


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _answer(connection: socket.socket) -> bytes:
    """Return the data of the response."""
    data = b""
    for kind, flags, stream, payload in _frames(connection):
        if kind == _GOAWAY:
            break
        if stream == _STREAM:
            data += payload if kind == _DATA else b""
            if data.startswith(_SERVING) or kind == _RST_STREAM or flags & _END_STREAM:
                break
    return data


def _frames(connection: socket.socket) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield frames until the server closes the connection."""
    with connection.makefile("rb") as received:
        while len(head := received.read(9)) == 9:  # noqa: PLR2004 - the length of a frame's head
            payload = received.read(int.from_bytes(head[:3], "big"))
            yield head[3], head[4], int.from_bytes(head[5:], "big"), payload
