"""The account that the embedded server runs as: ours, or another one for root, which PostgreSQL refuses."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibe.core.db.errors import DatabaseNotReady

SYSTEM_ACCOUNT = "embedded_postgres"
REPLACE = 'umask 077 && rm -f -- "$1" && set -C && cat > "$1"'
APPEND = 'cat >> "$1"'


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group of the system."""

    uid: int
    gid: int

    def options(self) -> dict[str, Any]:
        """Return the options with which `subprocess` runs a program as the account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if os.geteuid() == 0 else {}

    def write(self, path: Path, text: str, *, append: bool = False) -> None:
        """Write a file as the account, so that a link leads nowhere that the account may not write itself.

        A new file has mode 0600 and replaces what was there, a link too.
        """
        command = ["/bin/sh", "-c", APPEND if append else REPLACE, "sh", str(path)]
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False, **self.options())
        if done.returncode:
            raise DatabaseNotReady(
                f"The server's account cannot write {path}. Remove it, or set VIBE_STATE_DIR to a new folder."
            )


def owner_of_data(data: Path) -> Account | None:
    """Return the owner of the data, so that root takes nothing away from an ordinary user; None without data.

    Raises DatabaseNotReady where root would follow a link, or run PostgreSQL as root.
    """
    try:
        (data / "PG_VERSION").lstat()
        found = data.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if os.geteuid() == 0 and (stat.S_ISLNK(found.st_mode) or found.st_uid == 0):
        raise DatabaseNotReady(f"{data} is a link or belongs to root. Give it to the account of the server (chown).")
    found = data.stat()
    return Account(found.st_uid, found.st_gid)


def server_account() -> Account:
    """Return our own account; for root a separate one, made if it is missing."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    try:
        found = pwd.getpwnam(SYSTEM_ACCOUNT)
    except KeyError:
        found = make_account()
    return Account(found.pw_uid, found.pw_gid)


def make_account() -> pwd.struct_passwd:
    """Make a system account. Raises DatabaseNotReady if that fails."""
    command = [
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        SYSTEM_ACCOUNT,
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise DatabaseNotReady(
            f"PostgreSQL does not run as root, and the account {SYSTEM_ACCOUNT} could not be made. "
            "Run as an ordinary user, or set DATABASE_URL to a server of your own."
        ) from None
    return pwd.getpwnam(SYSTEM_ACCOUNT)


def grant_traversal(account: Account, *paths: Path) -> None:
    """As root, let the server's account reach its data and binaries: search only, no listing. Prints each change."""
    if os.geteuid() != 0:
        return
    for parent in sorted({parent for path in paths for parent in path.resolve().parents}):
        if parent.exists() and not can_traverse(parent, account):
            parent.chmod(parent.stat().st_mode | 0o001)
            print(f"Running as root: chmod o+x {parent}, so that PostgreSQL's account can pass it.", file=sys.stderr)
    binary = paths[-1]
    if not binary.stat().st_mode & 0o001:
        subprocess.run(["chmod", "-R", "o+rX", str(binary.parent.parent)], check=True)


def can_traverse(folder: Path, account: Account) -> bool:
    """Return whether the account can pass through a folder."""
    found = folder.stat()
    if found.st_uid == account.uid:
        return bool(found.st_mode & 0o100)
    if found.st_gid == account.gid:
        return bool(found.st_mode & 0o010)
    return bool(found.st_mode & 0o001)
