"""Notices that an application closes a response whose stream has not ended.

Every way to close one (the vendor's stream and its helpers, a raw response, ``response.close()``) closes the
body below, and so does the stream itself when it ends. So this stands at the body, whose type nobody asks
for, and tells the two apart by who closes: what the reading of the stream itself calls is its end.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from llm_observe._call import CANCELLED
from llm_observe._stand_in import observe

if TYPE_CHECKING:
    from types import FrameType

    from llm_observe._call import Call


def cancel_when_closed(call: Call, response: Any, reading: Any) -> None:
    """End a call as cancelled when anyone closes its response but the generator that reads it.

    A body that takes no other class is left alone: its stream is recorded when it is dropped.
    """
    body: Any = getattr(response, "stream", None)
    try:
        # The reading refers to the body; with a reference back, a dropped stream would keep its connection
        # until the garbage collector runs.
        body._llm_observe_stream = (call, weakref.ref(reading))  # noqa: SLF001 - ours
        observe(body, _closing_members)
    except (AttributeError, TypeError):
        return


def _closing_members(kind: Any) -> dict[str, Any]:
    def close(self: Any) -> None:
        _end(self)
        kind.close(self)

    async def aclose(self: Any) -> None:
        _end(self)
        await kind.aclose(self)

    return {method.__name__: method for method in (close, aclose) if hasattr(kind, method.__name__)}


def _end(body: Any) -> None:
    call, reading = getattr(body, "_llm_observe_stream", (None, None))
    if call is not None and reading is not None and not _is_running_here(reading()):
        call.finish(CANCELLED)


def _is_running_here(generator: Any) -> bool:
    """Tell whether the caller is called by a generator, synchronous or not."""
    own = getattr(generator, "gi_frame", None) or getattr(generator, "ag_frame", None)
    frame: FrameType | None = sys._getframe() if own is not None else None  # noqa: SLF001 - the way to the stack
    while frame is not None and frame is not own:
        frame = frame.f_back
    return frame is not None
