"""The file format of a backup: an ordinary tar, followed by one line with the SHA-256 of every byte before it.

`tar xf` unpacks it without us. Any byte that is flipped, missing or added, in padding and headers too, is detected
before any of the file is used. Checksums of the members alone would not detect all of that.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any, Final, Self, TypeVar

from vibe.backup.errors import BackupBroken
from vibe.core.errors import InputError
from vibe.core.state import sync_folder

FORMAT: Final = 1
DATA, KEYS = "data", "keys"

BLOCK: Final = 1 << 20
SEAL: Final = b"\nvibe-backup sha256 "
SEAL_BYTES: Final = len(SEAL) + 64 + 1
DUMP: Final = "database.dump"
MANIFEST: Final = "manifest.json"

Progress = Callable[[int], Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Manifest of one file. `tables` counts rows in the dump's snapshot; `walls` lists their access rules."""

    kind: str  # DATA, or KEYS for the file of wrapped data keys
    pair: str  # the same in both files of one backup
    made_at: str  # ISO 8601, UTC
    database: str
    server: int  # major version
    program: int  # major version of pg_dump
    vector: str  # version of pgvector
    migrations: tuple[str, ...]  # app.name, sorted
    tables: Mapping[str, int]
    walls: Mapping[str, tuple[str, ...]]
    masters: tuple[str, ...]  # ids of the master keys under which values are wrapped, hexadecimal
    sha256: str  # of the dump
    size: int  # of it, bytes
    format: int = FORMAT

    def encode(self) -> bytes:
        """Encode it as readable JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """Decode a manifest. Raises BackupBroken for one that this version cannot read."""
        try:
            said = json.loads(text)
            if said["format"] != FORMAT:
                raise BackupBroken(f"The backup is of format {said['format']}; this version reads {FORMAT}. Upgrade.")
            walls = {table: tuple(lines) for table, lines in said["walls"].items()}
            lists = {name: tuple(said[name]) for name in ("migrations", "masters")}
            return cls(**{each.name: said[each.name] for each in fields(cls)} | lists | {"walls": walls})
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BackupBroken("The backup's manifest cannot be read.") from None

    def differences(self, tables: Mapping[str, int]) -> list[str]:
        """Return how row counts differ from the manifest, one line a table."""
        return [
            f"{table}: {tables.get(table, 'none')} rows instead of {self.tables.get(table, 'none')}"
            for table in sorted(self.tables.keys() | tables.keys())
            if tables.get(table) != self.tables.get(table)
        ]

    def fallen(self, walls: Mapping[str, tuple[str, ...]]) -> list[str]:
        """Return the access rules that are missing or added, compared with the manifest."""
        ours = {(table, line) for table, lines in self.walls.items() for line in lines}
        theirs = {(table, line) for table, lines in walls.items() for line in lines}
        return [f"{table}: lacks {line}" for table, line in sorted(ours - theirs)] + [
            f"{table}: has {line}" for table, line in sorted(theirs - ours)
        ]


class Hashing:
    """Writer to a file that counts the bytes and computes their SHA-256."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self.sha256 = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> None:
        """Write more bytes."""
        self._target.write(data)
        self.sha256.update(data)
        self.bytes += len(data)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a draft beside the path, readable by its owner alone. Rename it to the path at the end, or remove it.

    Raises InputError when the file exists or cannot be written.
    """
    if path.exists():
        raise InputError(f"{path} is there already. Name another file: a backup never overwrites one.")
    draft = path.with_name(path.name + ".partial")
    try:
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield draft
        draft.rename(path)
        sync_folder(path.parent)
    except OSError as problem:
        raise InputError(f"{path} cannot be written: {problem.strerror}.") from None
    finally:
        draft.unlink(missing_ok=True)


def write(path: Path, fill: Callable[[Hashing], T], describe: Callable[[Hashing, T], bytes]) -> None:
    """Write an archive: `fill` streams the dump; `describe` returns the manifest, given the dump's size and digest."""
    with path.open("r+b") as file:
        file.seek(tarfile.BLOCKSIZE)
        dump = Hashing(file)
        filled = fill(dump)
        file.write(bytes(-dump.bytes % tarfile.BLOCKSIZE))
        said = describe(dump, filled)
        file.write(header(MANIFEST, len(said)) + said + bytes(-len(said) % tarfile.BLOCKSIZE))
        file.write(bytes(2 * tarfile.BLOCKSIZE))
        file.seek(0)
        file.write(header(DUMP, dump.bytes))
        file.seek(0)
        digest = hashlib.sha256()
        while block := file.read(BLOCK):  # from the file, so that the digest covers what was written
            digest.update(block)
        file.write(SEAL + digest.hexdigest().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def header(name: str, size: int) -> bytes:
    """Return one tar header."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member.tobuf(tarfile.GNU_FORMAT)


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive whose every byte was verified."""

    path: Path
    manifest: bytes

    @contextmanager
    def dump(self) -> Iterator[IO[bytes]]:
        """Open the dump at its beginning. Raises BackupBroken without one."""
        with tarfile.open(self.path, "r:") as tar:
            found = tar.extractfile(DUMP)
            if found is None:
                raise BackupBroken(f"{self.path} holds no {DUMP}.")
            with found:
                yield found


def verified(path: Path, *, progress: Progress = lambda _: None) -> Archive:
    """Verify every byte. Raises BackupBroken for a byte that was changed, InputError when the file cannot be read."""
    try:
        with path.open("rb") as file:
            require_whole(file, path, progress)
        with tarfile.open(path, "r:") as tar:
            if tar.getnames() != [DUMP, MANIFEST]:
                raise BackupBroken(f"{path} is no backup of Vibe: it holds other things.")
            found = tar.extractfile(MANIFEST)
            return Archive(path, found.read() if found else b"")
    except tarfile.TarError:
        raise BackupBroken(f"{path} is no backup of Vibe: it is no tar file.") from None
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}.") from None


def require_whole(file: IO[bytes], path: Path, progress: Progress) -> None:
    """Raise BackupBroken unless the file matches the checksum at its end."""
    left = file.seek(0, os.SEEK_END) - SEAL_BYTES
    digest = hashlib.sha256()
    file.seek(0)
    while left > 0 and (block := file.read(min(BLOCK, left))):
        digest.update(block)
        left -= len(block)
        progress(len(block))
    if left or file.read() != SEAL + digest.hexdigest().encode() + b"\n":
        raise BackupBroken(
            f"{path} is cut off, altered or no backup of Vibe: its checksum does not hold. "
            "Nothing was touched. Take another copy of it, or an older backup."
        )
