"""The command line's lake."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from analytics.lake.settings import LakeSettings
from stack.data_dir import DataDir
from stack.errors import StackError
from stack.supervisor import LAKE_URL
from telemetry.settings import load_settings

if TYPE_CHECKING:
    from analytics.lake.store import LakeStore


def lake_of_environment(*, without: bool) -> LakeStore | None:
    """Return the environment's lake, or that of the data folder; None where the caller does without.

    Raises:
        StackError: None is known, and the caller did not say to do without.
    """
    if without:
        return None
    if not os.environ.get(LAKE_URL) and not os.environ.get("DATABASE_URL"):
        return load_settings(LakeSettings, url=str(DataDir.from_env().lake)).open_store()
    store = load_settings(LakeSettings).open_store()
    if store is None:
        raise StackError(f"no lake is known: set {LAKE_URL}, or add --without-lake")
    return store
