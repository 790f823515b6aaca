"""The product's own processes, so that they can be killed."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import psutil

from stack import processes
from worker.queue.settings import QueueSettings


def start_worker(
    database_url: str, queue: QueueSettings, log_folder: Any, name: str = "worker"
) -> psutil.Process:
    """The real worker, in a process of its own, so that it can be killed."""
    env = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": queue.redis_url.get_secret_value(),
        "LLM_OBSERVE_QUEUE_NAME": queue.queue_name,
        "LLM_OBSERVE_QUEUE_HEARTBEAT_S": str(queue.heartbeat_s),
        "LLM_OBSERVE_QUEUE_LIVENESS_S": str(queue.liveness_s),
    }
    command = [sys.executable, "-m", "worker"]
    return processes.start(command, log=log_folder / f"{name}.out", env=env)


def stop(process: psutil.Process) -> None:
    processes.stop(process, signal.SIGTERM, 20)
