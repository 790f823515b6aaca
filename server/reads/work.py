"""Work that takes a while, off the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")

_THREAD: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reads")
"""One thread: the event loop shares the interpreter with it alone, and gets its turn sooner."""


async def in_thread(work: Callable[_Args, _Result], *args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
    """Run work in the thread for it, after what was asked for before."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, lambda: work(*args, **kwargs))
