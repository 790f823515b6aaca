"""The text of a streamed answer, from whatever a compatible server sends as its chunks."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from llm_observe._values import to_content

if TYPE_CHECKING:
    from codecs import IncrementalDecoder


class AnswerText:
    """Collects an answer's chunks as text that can be encoded.

    A server that cuts an answer by UTF-16 code units may send the halves of a surrogate pair in two chunks;
    the first half is kept back until the second comes.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._decoder: IncrementalDecoder | None = None
        """Joins the halves; None until a surrogate comes."""

    def __bool__(self) -> bool:
        return bool(self._parts)

    def __str__(self) -> str:
        return "".join(self._parts)

    def add(self, chunk: object) -> str:
        """Return what a chunk adds to the answer; empty if that depends on the next chunk."""
        # Runs for each chunk: ASCII, the usual case, takes one condition.
        if type(chunk) is str and self._decoder is None and chunk.isascii():
            text = chunk
        else:
            text = self._decode(to_content(chunk))
        if text:
            self._parts.append(text)
        return text

    def end(self) -> str:
        """Return what is still kept back, as a replacement character: its other half did not come."""
        text = self._decoder.decode(b"", final=True) if self._decoder is not None else ""
        if text:
            self._parts.append(text)
        return text

    def _decode(self, text: str) -> str:
        if self._decoder is None:
            try:
                text.encode()
            except UnicodeEncodeError:
                self._decoder = codecs.getincrementaldecoder("utf-16-le")("replace")
            else:
                return text
        return self._decoder.decode(text.encode("utf-16-le", "surrogatepass"))
