"""Notices that an application closes a response before its stream has ended.

Every way to close a response (the vendor's stream and its helpers, a raw response, ``response.close()``)
closes its body, and so does the stream itself at its end. We therefore override the body's methods, and look
at the caller: if it is the generator that reads the stream, the stream has ended.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING

from llm_observe._call import CANCELLED
from llm_observe._stand_in import observe

if TYPE_CHECKING:
    from types import FrameType

    from llm_observe._call import Call
    from llm_observe._vendor import VendorClass, VendorObject


def cancel_when_closed(call: Call, response: object, reader: object) -> None:
    """End a call as cancelled when its response is closed by anyone but ``reader``, its generator.

    A body whose class cannot be replaced is left alone: its stream is recorded when it is dropped.
    """
    body: VendorObject = getattr(response, "stream", None)
    try:
        # The reader refers to the body. With a strong reference back, a dropped stream would keep its
        # connection until the garbage collector runs.
        body._llm_observe_stream = (call, weakref.ref(reader))  # noqa: SLF001 - ours
        observe(body, _closing_members)
    except (AttributeError, TypeError):
        return


def _closing_members(body_class: VendorClass) -> dict[str, object]:
    def close(self: VendorObject) -> None:
        _end(self)
        body_class.close(self)

    async def aclose(self: VendorObject) -> None:
        _end(self)
        await body_class.aclose(self)

    return {method.__name__: method for method in (close, aclose) if hasattr(body_class, method.__name__)}


def _end(body: VendorObject) -> None:
    call, reader = getattr(body, "_llm_observe_stream", (None, None))
    if call is not None and reader is not None and not _is_running_here(reader()):
        call.finish(CANCELLED)


def _is_running_here(generator: object) -> bool:
    """Return whether a generator, synchronous or not, is on the stack of the caller."""
    own = getattr(generator, "gi_frame", None) or getattr(generator, "ag_frame", None)
    frame: FrameType | None = sys._getframe() if own is not None else None  # noqa: SLF001 - the only way to the stack
    while frame is not None and frame is not own:
        frame = frame.f_back
    return frame is not None
