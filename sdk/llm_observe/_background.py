"""Calls whose answer the provider makes in the background, until the application has seen how they end.

OpenAI answers a background request at once with an id. The application asks for the response by this id, or
resumes its stream, until it has ended; all of it is one call and makes one log.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llm_observe._call import Call

_MAX_CALLS: Final = 1_000
_calls: OrderedDict[str, Call] = OrderedDict()
"""The calls that have not ended, by the id of the response, oldest first."""


def keep(call: Call) -> Call | None:
    """Keep a call until its response is asked for; return one that there is no more room for."""
    _calls[call.background_id] = call
    return _calls.popitem(last=False)[1] if len(_calls) > _MAX_CALLS else None


def is_known() -> bool:
    """Return whether any call is kept."""
    return bool(_calls)


def find_call(response_id: str) -> Call | None:
    """Return the call of a background response, so that what is read next belongs to it."""
    return _calls.get(response_id)


def forget(call: Call) -> None:
    """Forget a call that has ended."""
    _calls.pop(call.background_id, None)


def take_all() -> list[Call]:
    """Return the calls of responses that nobody will ask for any more: the process ends."""
    calls = list(_calls.values())
    _calls.clear()
    return calls


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_calls.clear)
