"""Reads files of JSON: one document, or lines of which each is one."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

BytesFile: TypeAlias = io.BufferedIOBase | BinaryIO


class NotJson(ValueError):
    """A file holds something else; the message says where."""


def read_documents(file: BytesFile, first: bytes = b"") -> Iterator[object]:
    """Yield the documents of a file. One that spans lines is read whole, others line by line.

    Args:
        file: Opened for reading bytes.
        first: The first line, where it was read already.

    Raises:
        NotJson: A document is none.
    """
    first = first or file.readline()
    try:
        document = _load(first, "")
    except NotJson:
        document = _load(first + file.read(), "the file")
    yield document
    for number, line in enumerate(file, 2):
        if line.strip():
            yield _load(line, f"line {number}")


def _load(data: bytes, place: str) -> object:
    try:
        loaded: object = json.loads(data)
    except (ValueError, RecursionError):
        raise NotJson(f"{place} is not JSON") from None
    return loaded
