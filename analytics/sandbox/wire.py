"""What the server and a query process say to each other.

The server hands over a request as a file (JSON, then the live logs), and reads the answer from a pipe as
frames: a kind, a length, a payload. Nothing is pickled, since the process is not trusted.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Final, TypeAlias

from analytics.sandbox import errors
from analytics.sandbox.query import MEBIBYTE, HourFile, Limits, Query, Source

if TYPE_CHECKING:
    from analytics.sandbox.query import Parameter

HEADER: Final = struct.Struct("!cI")
"""Kind and length of a frame's payload."""
EXIT: Final = struct.Struct("!idQ")
"""Wait status, CPU seconds and peak resident bytes of a process that ended."""
MAX_FRAME_BYTES: Final = MEBIBYTE
MAX_FORMAT_BYTES: Final = 8 * MEBIBYTE
"""Allowance for Arrow's own bytes, above the limit of the rows."""
COLUMNS: Final = b"C"
ARROW: Final = b"A"
END: Final = b"E"
ERROR: Final = b"X"
RUN: Final = b"r"
KILL: Final = b"k"

_SIZE: Final = struct.Struct("!Q")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ERRORS: Final = {
    kind.__name__: kind
    for kind in (errors.SqlRefused, errors.SqlFailed, errors.SqlLimitExceeded, errors.SourceUnavailable)
}
JsonObject: TypeAlias = dict[str, object]


def frame(kind: bytes, payload: bytes) -> bytes:
    """Return a frame."""
    return HEADER.pack(kind, len(payload)) + payload


def pack_json(value: object) -> bytes:
    """Return JSON in UTF-8; lone surrogates, which a message may quote, are escaped."""
    return json.dumps(value).encode()


def write_query(file: IO[bytes], query: Query) -> None:
    """Write a query for ``read_query``."""
    source = query.source
    header = pack_json(
        {
            "sql": query.sql,
            "parameters": {name: _to_json(value) for name, value in query.parameters.items()},
            "limits": asdict(query.limits),
            "trusted": query.trusted,
            "project_id": source.project_id,
            "window": [_microseconds(source.start), _microseconds(source.end)],
            "files": [[_microseconds(file.hour), file.path] for file in source.files],
        }
    )
    file.write(_SIZE.pack(len(header)) + header)
    file.write(source.live)
    file.flush()
    file.seek(0)


def read_query(file: IO[bytes]) -> Query:
    """Read what ``write_query`` wrote."""
    (size,) = _SIZE.unpack(file.read(_SIZE.size))
    header = json.loads(file.read(size))
    start, end = map(_time, header["window"])
    files = tuple(HourFile(_time(hour), path) for hour, path in header["files"])
    return Query(
        sql=header["sql"],
        source=Source(header["project_id"], start, end, files, file.read()),
        parameters={name: _from_json(value) for name, value in header["parameters"].items()},
        limits=Limits(**header["limits"]),
        trusted=header["trusted"],
    )


def pack_error(error: errors.SandboxError) -> bytes:
    """Return an error for ``unpack_error``."""
    reason = getattr(error, "rule", None) or getattr(error, "limit", None)
    return pack_json([type(error).__name__, error.sentence, reason])


def unpack_error(payload: bytes) -> errors.SandboxError:
    """Return the error that a process sent.

    Raises:
        ValueError, KeyError, TypeError: It is no such error.
    """
    name, sentence, reason = json.loads(payload)
    kind = _ERRORS[name]
    if kind is errors.SqlRefused:
        return errors.SqlRefused(reason, str(sentence))
    if kind is errors.SqlLimitExceeded:
        return errors.SqlLimitExceeded(reason, str(sentence))
    return (
        errors.SqlFailed(str(sentence))
        if kind is errors.SqlFailed
        else errors.SourceUnavailable(str(sentence))
    )


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _time(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def _to_json(value: Parameter) -> object:
    return {"time": _microseconds(value)} if isinstance(value, datetime) else value


def _from_json(value: object) -> Parameter:
    if isinstance(value, dict):
        return _time(value["time"])
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError("not a parameter")
