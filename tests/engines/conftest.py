"""The lake that other engines read: written once, and never changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.engines import write_lake


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake")
    write_lake(folder)
    return folder
