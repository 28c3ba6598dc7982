"""Files and folders of the embedded server, opened so that no link in the way leads elsewhere.

Root may run Vibe in a folder of somebody else, and the data belongs to the server's account: whatever root opens
there, they may have replaced by a link.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from vibe.core.db.embedded.account import Account
from vibe.core.db.errors import DatabaseNotReady

NEW = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""How to open a file. NONBLOCK, so that a pipe is refused and not waited for."""
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


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
