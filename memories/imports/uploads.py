"""The sealed files of imports that wait: a file for each part, and one for how the whole is to be read.

They lie in IMPORT_DIR under the person's own data key, and go with the import. Without the key they are nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from vibe.core.crypto.file_seal import FileSeal
from vibe.core.whole_files import write_whole

SEALED: Final = ".sealed"
OPTIONS: Final = -1
"""The number of the part that holds how the file is to be read."""


def path_of(import_id: UUID, number: int) -> Path:
    """Return the path of a part."""
    return Path(settings.IMPORT_DIR, f"{import_id}.{number}{SEALED}")


def write_part(files: FileSeal, user_id: UUID, import_id: UUID, number: int, content: bytes) -> None:
    """Seal a part. One of that number that is there is replaced."""
    with write_whole(path_of(import_id, number)) as target:
        writer = files.writer(target, context(user_id, import_id, number))
        writer.write(content)
        writer.close()


def read_part(files: FileSeal, user_id: UUID, import_id: UUID, number: int) -> Iterator[bytes]:
    """Yield the content of a part. Raises SealBroken, and FileNotFoundError where it is not on this machine."""
    with path_of(import_id, number).open("rb") as source:
        yield from files.open(source, context(user_id, import_id, number))


def numbers_there(import_id: UUID) -> set[int]:
    """Return the numbers of the parts that are whole."""
    names = Path(settings.IMPORT_DIR).glob(f"{import_id}.*{SEALED}")
    return {int(path.suffixes[-2][1:]) for path in names} - {OPTIONS}


def imports_there() -> set[UUID]:
    """Return the ids of the imports that have files."""
    return {UUID(path.name.partition(".")[0]) for path in Path(settings.IMPORT_DIR).glob(f"*{SEALED}")}


def remove(import_id: UUID) -> int:
    """Remove the files of an import, drafts included. Return how many."""
    found = list(Path(settings.IMPORT_DIR).glob(f"{import_id}.*"))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def context(user_id: UUID, import_id: UUID, number: int) -> bytes:
    """Return the context that the seal binds to a part: person, import and place."""
    return b"imports" + user_id.bytes + import_id.bytes + number.to_bytes(4, "big", signed=True)


class Upload(io.RawIOBase):
    """The parts of a file, opened one chunk at a time."""

    def __init__(self, files: FileSeal, user_id: UUID, import_id: UUID, parts: int) -> None:
        self._parts = (files, user_id, import_id)
        self._count = parts
        self._chunks = self._read()
        self._rest = b""

    def _read(self) -> Iterator[bytes]:
        for number in range(self._count):
            yield from read_part(*self._parts, number)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go back to the start, which is all that is needed."""
        if offset or whence != io.SEEK_SET:
            raise io.UnsupportedOperation("Only the start can be gone back to.")
        self._chunks, self._rest = self._read(), b""
        return 0

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
