"""python -m worker [scheduler]: process the queue, or queue scheduled jobs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import llm_observe
import uvloop

from telemetry.heartbeat import HeartbeatSettings, heartbeat
from telemetry.logging import LogSettings, start_logging
from telemetry.process import recording
from telemetry.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def main() -> int:
    """Run until SIGTERM or SIGINT; return the exit status."""
    try:
        if sys.argv[1:] == ["scheduler"]:
            from worker.schedule import run_scheduler as run  # noqa: PLC0415 - one process needs one of the two

            process = "scheduler"
        else:
            from worker.app import run_worker as run  # noqa: PLC0415 - as above

            process = "worker"
        start_logging(load_settings(LogSettings), process=process)
        with recording(process, llm_observe.__version__):
            uvloop.run(_run(run, load_settings(HeartbeatSettings)))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


async def _run(run: Callable[[], Awaitable[None]], settings: HeartbeatSettings) -> None:
    async with heartbeat(settings):
        await run()


if __name__ == "__main__":
    raise SystemExit(main())
