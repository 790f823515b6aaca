"""Takes a user out of files of the lake whose rows Postgres no longer has.

Files of other hours need none of this: they are exported again, as after any change of their logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from analytics.lake.layout import hour_file
from analytics.lake.schema import SCHEMA
from analytics.lake.store import LakeUnavailable
from analytics.lake.threads import run_in_thread
from analytics.lake.writer import LogFileWriter
from storage.columns import ERASED_COLUMNS
from storage.lake import HourFile, lock_hour

if TYPE_CHECKING:
    from analytics.lake.store import LakeStore
    from analytics.lake.writer import WrittenFile
    from storage.lake import HourKey
    from storage.log_erasure import UserData
    from storage.pool import Database

_WHO: Final = ("user_id", "conversation_id")


async def holds_user(store: LakeStore, key: HourKey, user: UserData) -> bool:
    """Tell whether the file of an hour has logs of a user.

    Raises:
        LakeUnavailable: It cannot be read.
    """
    return await run_in_thread(lambda: _holds_user(store, hour_file(*key), user))


def _holds_user(store: LakeStore, name: str, user: UserData) -> bool:
    file = store.open_file(name)
    if file is None:
        return False
    try:
        with file:
            table = parquet.read_table(file, columns=list(_WHO))
            return bool(pc.any(_find(table, user)).as_py())
    except (OSError, pa.ArrowException) as error:
        raise LakeUnavailable(f"a file of the lake cannot be read: {name}") from error


async def erase_hour(
    database: Database, store: LakeStore, key: HourKey, user: UserData, timeout_s: float
) -> bool:
    """Take a user out of the file of an hour whose rows are dropped; tell whether it was done.

    Readers see the file as it was or as it is now. What it will hold is noted first: where this is
    interrupted in between, the file is found again, as it still has the user.

    Args:
        database: Where the hour is noted.
        store: The lake.
        key: Which hour.
        user: Whose logs.
        timeout_s: Longest that a query may take, in seconds.

    Raises:
        LakeUnavailable: The file may not have been written; try again.
        StorageUnavailable: Likewise.
    """
    name = hour_file(*key)
    async with lock_hour(database, key, timeout_s) as hour:
        if hour is None:
            return False
        with LogFileWriter(await run_in_thread(lambda: store.staging_folder(name))) as writer:
            written = await run_in_thread(lambda: _write_without(store, name, user, writer))
            await hour.check_lock()
            await hour.note_rewrite(HourFile(name, written.row_count, written.size_bytes, written.sha256))
            await run_in_thread(lambda: store.publish(written.path, name))
    return True


def _write_without(store: LakeStore, name: str, user: UserData, writer: LogFileWriter) -> WrittenFile:
    file = store.open_file(name)
    if file is None:
        raise LakeUnavailable(f"a file of the lake has gone meanwhile: {name}")
    try:
        with file:
            source = parquet.ParquetFile(file)
            for group in range(source.num_row_groups):
                writer.add_table(erase_rows(source.read_row_group(group), user))
    except (OSError, pa.ArrowException) as error:
        raise LakeUnavailable(f"a file of the lake cannot be read: {name}") from error
    return writer.finish()


def erase_rows(table: pa.Table, user: UserData) -> pa.Table:
    """Return rows without a user: all of them, some with nobody named in them."""
    theirs = _find(table, user)
    for column in ERASED_COLUMNS:
        field = SCHEMA.field(column.name)
        value = pa.scalar(column.text, field.type)
        place = table.schema.get_field_index(column.name)
        table = table.set_column(place, field, pc.if_else(theirs, value, table[column.name]))
    return table


def _find(table: pa.Table, user: UserData) -> pa.ChunkedArray:
    conversations = pc.is_in(table["conversation_id"], pa.array(user.conversation_ids, pa.string()))
    return pc.or_(pc.equal(table["user_id"], user.user_id), conversations)
