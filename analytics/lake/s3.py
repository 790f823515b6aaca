"""A lake in a bucket of S3, or of a store that speaks its protocol."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pyarrow import ArrowException, fs, memory_map

from analytics.lake.layout import FILE_NAME
from analytics.lake.store import LakeUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from analytics.lake.store import Place

_CONNECT_TIMEOUT_S: Final = 5.0
_REQUEST_TIMEOUT_S: Final = 30.0
"""Of one part of a file."""
_ATTEMPTS: Final = 3
_DEFAULT_REGION: Final = "us-east-1"


class S3Store:
    """See LakeStore. An object appears under its name when it is complete, and never before.

    Credentials come from where AWS's own clients look for them: variables, files, the machine's role.
    """

    def __init__(self, place: Place, *, endpoint: str = "", region: str = "") -> None:
        self.root = "/".join(filter(None, (place.bucket, place.path)))
        scheme, _, address = endpoint.rpartition("://")
        self._options = {
            "endpoint_override": address or None,
            "scheme": scheme or "https",
            "region": region or (_DEFAULT_REGION if endpoint else None),
        }
        self._opened: fs.S3FileSystem | None = None

    def filesystem(self) -> fs.S3FileSystem:
        """Return the bucket's file system, for readers too."""
        if self._opened is None:
            self._opened = fs.S3FileSystem(
                connect_timeout=_CONNECT_TIMEOUT_S,
                request_timeout=_REQUEST_TIMEOUT_S,
                retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
                **self._options,
            )
        return self._opened

    def staging_folder(self, name: str) -> Path:
        del name
        return Path(tempfile.gettempdir())

    def publish(self, staged: Path, name: str) -> None:
        # Closing completes the object, so that nothing may fail between two writes: there is one.
        with (
            _errors(),
            memory_map(str(staged)) as source,
            self.filesystem().open_output_stream(self._path(name)) as target,
        ):
            target.write(source.read_buffer())

    def remove(self, name: str) -> None:
        with _errors():
            if self.filesystem().get_file_info(self._path(name)).type is fs.FileType.File:
                self.filesystem().delete_file(self._path(name))

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        wanted = list(names)
        with _errors():
            found = self.filesystem().get_file_info([self._path(name) for name in wanted])
        return {
            name: info.size for name, info in zip(wanted, found, strict=True) if info.type is fs.FileType.File
        }

    def digest(self, name: str) -> str:
        missing = suppress(FileNotFoundError)
        with _errors(), missing, self.filesystem().open_input_file(self._path(name)) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
        return ""

    def open_file(self, name: str) -> BinaryIO | None:
        with _errors(), suppress(FileNotFoundError):
            file: BinaryIO = self.filesystem().open_input_file(self._path(name))
            return file
        return None

    def list_files(self) -> list[str]:
        selector = fs.FileSelector(self.root, recursive=True, allow_not_found=True)
        with _errors():
            paths = [info.path for info in self.filesystem().get_file_info(selector)]
        return [path.removeprefix(f"{self.root}/") for path in paths if path.endswith(f"/{FILE_NAME}")]

    def sweep(self, project: str) -> None:
        """Nothing is left in the bucket but parts of uploads, which a rule of the bucket should end."""

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (OSError, ArrowException) as error:
        raise LakeUnavailable(f"the lake's bucket cannot be used: {type(error).__name__}") from error
