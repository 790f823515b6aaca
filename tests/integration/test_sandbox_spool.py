"""Copies of a lake in object storage; a folder stands for the storage."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from analytics.sandbox.errors import SourceUnavailable
from analytics.sandbox.query import Source
from analytics.sandbox.spool import Spool
from tests.support.sandbox import FIRST_HOUR, HOURS, hour_of_logs, make_lake, write_hour

END = FIRST_HOUR + timedelta(hours=HOURS)


@pytest.fixture
def storage(tmp_path):
    make_lake(tmp_path / "bucket" / "lake")
    return SubTreeFileSystem(str(tmp_path / "bucket"), LocalFileSystem())


def copies(tmp_path):
    return sorted(path for path in (tmp_path / "spool").rglob("*") if path.is_file())


def same(path, other):
    return path.read_bytes() == other.read_bytes()


async def fetch(tmp_path, storage, max_bytes=1 << 30, start=FIRST_HOUR, project_id="mine"):
    return await Spool(tmp_path / "spool", max_bytes).fetch(
        storage, "lake", project_id, start, END, timeout_s=60
    )


async def test_files_are_copied_once_and_again_when_they_change(tmp_path, storage):
    files = await fetch(tmp_path, storage)
    assert [file.hour for file in files] == [FIRST_HOUR + timedelta(hours=index) for index in range(HOURS)]
    inodes = {path: path.stat().st_ino for path in copies(tmp_path)}
    assert len(inodes) == HOURS
    assert await fetch(tmp_path, storage) == files
    assert {path: path.stat().st_ino for path in copies(tmp_path)} == inodes
    changed = write_hour(
        tmp_path / "bucket/lake", "mine", FIRST_HOUR, hour_of_logs(FIRST_HOUR, "later", rows=7)
    )
    newer = await fetch(tmp_path, storage)
    assert newer[1:] == files[1:]
    assert newer[0] != files[0]
    assert same(Path(newer[0].path), changed)
    assert len(copies(tmp_path)) == HOURS  # the older version is gone


async def test_the_least_recently_used_are_removed(tmp_path, storage):
    await fetch(tmp_path, storage, project_id="other")
    files = await fetch(tmp_path, storage, max_bytes=1)
    assert [str(path) for path in copies(tmp_path)] == sorted(file.path for file in files)


async def test_two_calls_that_copy_the_same_file_do_not_mix_their_bytes(tmp_path, storage):
    """One began before, and ran out of time: its thread goes on."""
    starts, goes_on = [threading.Event(), threading.Event()], [threading.Event(), threading.Event()]

    class Paused:
        """The first call stops before its end, the second before its first byte."""

        def __init__(self):
            self.calls = iter((0, 1))

        get_file_info = storage.get_file_info

        def open_input_stream(self, path):
            call, source = next(self.calls), storage.open_input_stream(path)

            class Stream:
                def __enter__(self):
                    return self

                def __exit__(self, *_):
                    source.close()

                def read(self, size):
                    data = source.read(size)
                    if call == 1 or not data:
                        starts[call].set()
                        goes_on[call].wait()
                    return data

            return Stream()

    paused, start = Paused(), END - timedelta(hours=1)
    first = asyncio.create_task(fetch(tmp_path, paused, start=start))
    await asyncio.to_thread(starts[0].wait)
    second = asyncio.create_task(fetch(tmp_path, paused, start=start))
    await asyncio.to_thread(starts[1].wait)
    goes_on[0].set()
    (file,) = await first
    original = (
        tmp_path / "bucket/lake/project_id=mine" / f"date={start:%Y-%m-%d}/hour={start:%H}/logs.parquet"
    )
    try:
        assert same(Path(file.path), original)
    finally:
        goes_on[1].set()
    assert await second == (file,)
    assert same(Path(file.path), original)
    assert copies(tmp_path) == [Path(file.path)]


async def test_a_copy_that_fails_leaves_nothing(tmp_path, storage):
    class Cut:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self, _):
            raise OSError("cut off")

    class Failing:
        get_file_info = storage.get_file_info

        def open_input_stream(self, _):
            return Cut()

    with pytest.raises(SourceUnavailable):
        await fetch(tmp_path, Failing())
    assert copies(tmp_path) == []


async def test_a_copy_that_another_call_removes_does_no_harm(tmp_path, storage):
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "gone.parquet").symlink_to(tmp_path / "nowhere")  # listed, but not there
    assert len(await fetch(tmp_path, storage)) == HOURS


async def test_hours_without_a_file_are_left_out(tmp_path, storage):
    files = await fetch(tmp_path, storage, start=FIRST_HOUR - timedelta(days=1))
    assert len(files) == HOURS
    assert Source("mine", FIRST_HOUR, END, files).files == files


async def test_a_storage_that_does_not_answer(tmp_path):
    release = threading.Event()

    class Hanging:
        def get_file_info(self, _):
            release.wait()
            raise OSError("gone")

    with pytest.raises(SourceUnavailable, match="does not answer"):
        await Spool(tmp_path, 1).fetch(Hanging(), "lake", "mine", FIRST_HOUR, END, timeout_s=0.01)
    release.set()
    with pytest.raises(SourceUnavailable, match="does not answer"):
        await Spool(tmp_path, 1).fetch(Hanging(), "lake", "mine", FIRST_HOUR, END, timeout_s=60)
