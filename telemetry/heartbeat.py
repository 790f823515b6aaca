"""A file that a process touches as long as its event loop runs, for health checks that start no Python."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import Field

from telemetry.settings import EnvSettings, SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_INTERVAL_S: Final = 5.0


class HeartbeatSettings(EnvSettings):
    """How a process shows that it is alive."""

    file: str = Field("", alias="LLM_OBSERVE_HEARTBEAT_FILE")
    """File that the worker or the scheduler touches every 5 seconds; empty means none."""


@asynccontextmanager
async def heartbeat(settings: HeartbeatSettings, interval_s: float = _INTERVAL_S) -> AsyncIterator[None]:
    """Touch the file every interval_s seconds while the context lasts; remove it at the end.

    Raises:
        SettingsError: The file cannot be written.
    """
    if not settings.file:
        yield
        return
    path = Path(settings.file)
    try:
        await asyncio.to_thread(path.touch)
    except OSError as error:
        raise SettingsError(f"LLM_OBSERVE_HEARTBEAT_FILE: cannot write {path}: {error.strerror}") from None
    beating = asyncio.create_task(_keep_touching(path, interval_s), name="heartbeat")
    try:
        yield
    finally:
        beating.cancel()
        with suppress(OSError):
            await asyncio.to_thread(path.unlink, missing_ok=True)


async def _keep_touching(path: Path, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        with suppress(OSError):  # a full disk, say: then the file grows old, and the check says so
            await asyncio.to_thread(path.touch)
