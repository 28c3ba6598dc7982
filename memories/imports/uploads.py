"""The sealed files of imports that wait: a file for each part, and one for how the whole is to be read.

They lie in IMPORT_DIR, or in the bucket, under the person's own data key, and go with the import. Without the key they
are nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final
from uuid import UUID

from vibe.core import file_storage
from vibe.core.crypto.file_seal import FileSeal

SEALED: Final = ".sealed"
OPTIONS: Final = -1
"""The number of the part that holds how the file is to be read."""


def stored() -> file_storage.Files:
    """Return the files of imports."""
    return file_storage.files("imports", "IMPORT_DIR")


def name_of(import_id: UUID, number: int) -> str:
    """Return the name of the file of a part."""
    return f"{import_id}.{number}{SEALED}"


def write_part(files: FileSeal, user_id: UUID, import_id: UUID, number: int, content: bytes) -> None:
    """Seal a part. One of that number that is there is replaced."""
    sealed = files.seal([content], context(user_id, import_id, number))
    stored().write(name_of(import_id, number), sealed)


def read_part(files: FileSeal, user_id: UUID, import_id: UUID, number: int) -> Iterator[bytes]:
    """Yield the content of a part. Raises SealBroken, and FileNotFoundError where it is not there."""
    with stored().read(name_of(import_id, number)) as source:
        yield from files.open(source, context(user_id, import_id, number))


def sizes_there(import_id: UUID) -> dict[int, int]:
    """Return the numbers of the parts that are whole, and their sealed sizes."""
    names = stored().sizes(f"{import_id}.")
    numbered = {int(name.removesuffix(SEALED).rpartition(".")[2]): size for name, size in names.items()}
    return {number: size for number, size in numbered.items() if number != OPTIONS}


def imports_there() -> set[UUID]:
    """Return the ids of the imports that have files."""
    return {UUID(name.partition(".")[0]) for name in stored().sizes() if name.endswith(SEALED)}


def remove(import_id: UUID) -> int:
    """Remove the files of an import, drafts included. Return how many."""
    return stored().remove(f"{import_id}.")


def context(user_id: UUID, import_id: UUID, number: int) -> bytes:
    """Return the context that the seal binds to a part: person, import and place."""
    return b"imports" + user_id.bytes + import_id.bytes + number.to_bytes(4, "big", signed=True)


class Upload(file_storage.Chunks):
    """The parts of a file, opened one chunk at a time."""

    def __init__(self, files: FileSeal, user_id: UUID, import_id: UUID, parts: int) -> None:
        self._parts = (files, user_id, import_id)
        self._count = parts
        super().__init__(self._read())

    def _read(self) -> Iterator[bytes]:
        for number in range(self._count):
            yield from read_part(*self._parts, number)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go back to the start, which is all that is needed."""
        if offset or whence != io.SEEK_SET:
            raise io.UnsupportedOperation("Only the start can be gone back to.")
        super().__init__(self._read())
        return 0
