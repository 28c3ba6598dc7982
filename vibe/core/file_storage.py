"""Where sealed files lie: in a folder, or under a prefix of a bucket (OBJECT_STORAGE).

A file is there whole or not at all. boto3 is called directly: what django-storages puts on top of it fetches a whole
file before it gives the first byte, and lists all files where those of one export are looked for.
"""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final, Protocol

from django.conf import settings

from vibe.core.errors import ConfigurationError, VibeError
from vibe.core.state import sync_folder

DRAFT: Final = ".part"
LEFT_BEHIND: Final = 86_400  # seconds after which a draft counts as abandoned
ADDRESS: Final = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[A-Za-z0-9._/-]{1,200}))?"
)
CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 10.0
ATTEMPTS: Final = 3
WHAT_HELPS: Final = {
    errno.ENOSPC: "It is full. Free space (df -h), or name another folder in {setting}.",
    errno.EDQUOT: "The quota is used up. Raise it, or name another folder in {setting}.",
    errno.EROFS: "It is mounted read-only. Mount it for writing (mount -o remount,rw), or name another in {setting}.",
    errno.EACCES: "This user may not. Give the folder to them (chown), or name another in {setting}.",
    "NoSuchBucket": "There is no such bucket. Make it (aws s3 mb), or correct OBJECT_STORAGE.",
    "AccessDenied": "Allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket to the role of this service.",
    "InvalidAccessKeyId": "Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    "SignatureDoesNotMatch": "Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    "NoCredentialsError": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role.",
    "NoRegionError": "Set AWS_DEFAULT_REGION.",
}  # fmt: skip
ELSE_HELPS: Final = "Mend it, and try again: manage.py doctor."


class FilesUnavailable(VibeError):
    """A file cannot be written, read or removed. Callers are told no more; `reason` is for the log and `doctor`."""

    message = "Files cannot be stored at the moment. Try again shortly."
    code = "files-unavailable"
    status = 503

    def __init__(self, place: str, cause: int | str | None, setting: str) -> None:
        super().__init__()
        said = os.strerror(cause) if isinstance(cause, int) else cause
        self.helps = WHAT_HELPS.get(cause or "", ELSE_HELPS).format(setting=setting)
        self.reason = f"{place} cannot be used ({said}). {self.helps}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "30"}


class Files(Protocol):
    """Files by name. Each method raises FilesUnavailable."""

    def write(self, name: str, content: Iterable[bytes]) -> None:
        """Store a file, whole or not at all. One of that name is replaced. An error of `content` is passed on."""

    def read(self, name: str) -> IO[bytes]:
        """Open a file. Raises FileNotFoundError."""

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Return names and sizes in bytes of the files whose names begin so, drafts left out."""

    def remove(self, prefix: str) -> int:
        """Remove the files whose names begin so, drafts included. Return how many."""

    def remove_drafts_left(self) -> int:
        """Remove the drafts that killed processes left. Return how many."""


class Folder:
    """Files in a folder, each written beside its place, synced to disk and renamed."""

    def __init__(self, path: Path, setting: str) -> None:
        self.path = path
        self._setting = setting

    def write(self, name: str, content: Iterable[bytes]) -> None:
        draft = self.path / f"{name}.{secrets.token_hex(4)}{DRAFT}"
        with self._problems_named():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                for chunk in content:
                    with self._problems_named():
                        write_all(file, chunk)
                with self._problems_named():
                    os.fsync(descriptor)
            with self._problems_named():
                draft.rename(self.path / name)
                sync_folder(self.path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def read(self, name: str) -> IO[bytes]:
        with self._problems_named():
            return (self.path / name).open("rb")

    def sizes(self, prefix: str = "") -> dict[str, int]:
        found = {}
        for path in self.path.glob(f"{prefix}*"):
            with suppress(FileNotFoundError), self._problems_named():  # removed meanwhile
                if path.suffix != DRAFT:
                    found[path.name] = path.stat().st_size
        return found

    def remove(self, prefix: str) -> int:
        with self._problems_named():
            found = list(self.path.glob(f"{prefix}*"))
            for path in found:
                path.unlink(missing_ok=True)
        return len(found)

    def remove_drafts_left(self) -> int:
        before = time.time() - LEFT_BEHIND
        with self._problems_named():
            old = [path for path in self.path.glob(f"*{DRAFT}") if path.stat().st_mtime < before]
            for path in old:
                path.unlink(missing_ok=True)
        return len(old)

    def _problems_named(self) -> AbstractContextManager[None]:
        return problems_named(self.path, self._setting)


@contextmanager
def problems_named(path: Path, setting: str) -> Iterator[None]:
    """Turn what the system says of a path into FilesUnavailable. A file that is not there stays FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise FilesUnavailable(str(path), problem.errno, setting) from None


def write_all(file: io.FileIO, content: bytes) -> None:
    """Write to a file without a buffer, which takes a part where the disk is nearly full."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


class Bucket:
    """Files in a bucket of object storage that speaks S3. What was begun and not ended is never there."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self.prefix = prefix
        self._bucket = bucket

    def write(self, name: str, content: Iterable[bytes]) -> None:
        from boto3.s3.transfer import TransferConfig  # noqa: PLC0415  installed where it is used

        # Without threads: `content` may read from the database, whose connection belongs to this one.
        config = TransferConfig(use_threads=False)
        self._ask("upload_fileobj", Fileobj=Chunks(content), Key=self._key(name), Config=config)

    def read(self, name: str) -> IO[bytes]:
        body: IO[bytes] = self._ask("get_object", Key=self._key(name))["Body"]
        return body

    def sizes(self, prefix: str = "") -> dict[str, int]:
        found: dict[str, int] = {}
        more: dict[str, str] = {}
        while True:
            page = self._ask("list_objects_v2", Prefix=self._key(prefix), **more)
            found |= {each["Key"].removeprefix(self._key("")): each["Size"] for each in page.get("Contents", ())}
            if not page.get("NextContinuationToken"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def remove(self, prefix: str) -> int:
        found = self.sizes(prefix)
        for name in found:
            self._ask("delete_object", Key=self._key(name))
        return len(found)

    def remove_drafts_left(self) -> int:
        return 0  # a rule of the bucket ends uploads that were left: docs/containers.md

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def _ask(self, operation: str, **given: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            return getattr(client_of(os.getpid()), operation)(Bucket=self._bucket, **given)
        except ClientError as problem:
            cause = str(problem.response.get("Error", {}).get("Code", ""))
            if cause == "NoSuchKey":
                raise FileNotFoundError(given["Key"]) from None
        except BotoCoreError as problem:
            cause = type(problem).__name__
        raise FilesUnavailable(f"The bucket {self._bucket}", cause, "OBJECT_STORAGE")


@lru_cache(maxsize=2)
def client_of(_process: int) -> Any:
    """Return a client of this process: a forked one must not share its connections. boto3 reads its own settings."""
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
    return boto3.session.Session().client(
        "s3", config=Config(connect_timeout=CONNECT_SECONDS, read_timeout=ANSWER_SECONDS, retries=retries)
    )


class Chunks(io.RawIOBase):
    """A file that is read from chunks as they are made."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def files(kind: str, setting: str) -> Files:
    """Return the files of a kind: in the bucket if there is one, else in the folder that the setting names."""
    if not settings.OBJECT_STORAGE:
        return Folder(Path(getattr(settings, setting)), setting)
    bucket, prefix = bucket_and_prefix()
    return Bucket(bucket, f"{prefix}/{kind}" if prefix else kind)


def check() -> None:
    """Raise ConfigurationError for an OBJECT_STORAGE that is none."""
    if settings.OBJECT_STORAGE:
        bucket_and_prefix()


def bucket_and_prefix() -> tuple[str, str]:
    """Return what OBJECT_STORAGE names. Raises ConfigurationError where that is no bucket, and without boto3."""
    found = ADDRESS.fullmatch(settings.OBJECT_STORAGE)
    if not found:
        raise ConfigurationError("OBJECT_STORAGE is not of the form s3://BUCKET or s3://BUCKET/PREFIX.")
    if not find_spec("boto3"):
        raise ConfigurationError("OBJECT_STORAGE names a bucket. Run: pip install boto3")
    return found["bucket"], (found["prefix"] or "").strip("/")
