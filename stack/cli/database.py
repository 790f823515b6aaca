"""Which database the command line works on."""

from __future__ import annotations

import os

from stack.data_dir import DataDir
from stack.errors import StackError
from storage.settings import StorageSettings
from telemetry.settings import load_settings


def storage_settings(timeout_s: float = 60) -> StorageSettings:
    """Return the database of the environment, or of what runs from this folder."""
    if os.environ.get("DATABASE_URL"):
        return load_settings(StorageSettings).model_copy(update={"timeout_s": timeout_s})
    url = DataDir.from_env().read_state().get("database_url")
    if not url:
        raise StackError("no database: start one with `llm-observe up`, or set DATABASE_URL")
    return StorageSettings(database_url=url, timeout_s=timeout_s)
