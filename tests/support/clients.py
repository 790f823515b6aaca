"""The clients in other languages, built and run as their own tests do it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.support.waiting import WAIT_S

ROOT = Path(__file__).parent.parent.parent
CLIENTS = ROOT / "clients"


class CommandFailed(Exception):
    """A command ended with a status other than 0; its text is what the command printed."""


async def run(*command: str, folder: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command with variables added to the environment; return what it printed.

    Whatever it has started ends with it, also when it takes too long or is cancelled.

    Raises:
        CommandFailed: Its status was not 0.
        TimeoutError: It took longer than WAIT_S.
    """
    start = asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    starting = asyncio.ensure_future(start)
    try:
        process = await asyncio.shield(
            starting
        )  # were it cancelled, what the command has started would live on
        async with asyncio.timeout(WAIT_S):
            output, _ = await process.communicate()
    finally:
        process = await starting
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if process.returncode:
        raise CommandFailed(output.decode(errors="replace"))
    return output.decode(errors="replace")
