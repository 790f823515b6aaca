"""The lake's files on a local disk, where queries open them: those of a bucket are copied when needed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from analytics.lake.folder import FolderStore
from analytics.sandbox.query import HourFile
from analytics.sandbox.spool import Spool

if TYPE_CHECKING:
    from analytics.lake.s3 import S3Store
    from analytics.lake.store import LakeStore
    from analytics.reports.history import History

_COPY_TIMEOUT_S: Final = 60.0


class LocalFiles:
    """Paths of a lake's files.

    Args:
        store: The lake.
        max_bytes: Bytes that copies of a bucket's files may take between questions.
    """

    def __init__(self, store: LakeStore, max_bytes: int) -> None:
        self.store = store
        self._max_bytes = max_bytes
        self._folder: Path | None = None

    async def find(self, history: History) -> tuple[HourFile, ...]:
        """Return the files of a history, as far as they are there.

        Raises:
            SourceUnavailable: They cannot be copied.
        """
        if isinstance(self.store, FolderStore):
            root = self.store.root
            names = zip(history.files, history.names, strict=True)
            return tuple(HourFile(file.hour, str(root / name)) for file, name in names)
        if not history.files:
            return ()
        copies = await self._copy(cast("S3Store", self.store), history)
        wanted = {file.hour for file in history.files}
        return tuple(file for file in copies if file.hour in wanted)

    def close(self) -> None:
        """Remove all copies."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _copy(self, store: S3Store, history: History) -> tuple[HourFile, ...]:
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="llm-observe-lake-"))
        return await Spool(self._folder, self._max_bytes).fetch(
            store.filesystem(),
            store.root,
            history.project_id,
            history.files[0].hour,
            history.window.end,
            timeout_s=_COPY_TIMEOUT_S,
        )
