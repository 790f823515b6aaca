"""python -m worker [scheduler]: process the queue, or queue scheduled jobs."""

from __future__ import annotations

import sys

import llm_observe
import uvloop

from telemetry.logging import LogSettings, start_logging
from telemetry.process import recording
from telemetry.settings import SettingsError, load_settings


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
            uvloop.run(run())
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
