"""The state folder: where a machine with nothing configured keeps its database and the secrets made for it."""

from __future__ import annotations

import fcntl
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

FILE = "secrets.env"
BYTES = 32


def made_once(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """The named secrets of `folder`, 64 hex digits each; made on the first use, in a file only its owner can read.

    Several processes may ask at once: the first to create the file wins and the others read it. A name that a file of
    an earlier version lacks is added to it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / FILE
    if not path.exists():
        write_once(path, lines_for(names))
    known = read(path)
    return known if known.keys() >= set(names) else add_missing(path, names)


def add_missing(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Append what is missing, one process at a time; what is there is never touched."""
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        missing = [name for name in names if name not in read(path)]
        file.write(("\n" if text and not text.endswith("\n") else "") + lines_for(missing))
        file.flush()
        os.fsync(file.fileno())
    return read(path)


def read(path: Path) -> dict[str, str]:
    """The secrets that are there."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def lines_for(names: Sequence[str]) -> str:
    """Fresh secrets, a line each."""
    return "".join(f"{name}={secrets.token_hex(BYTES)}\n" for name in names)


def write_once(path: Path, text: str) -> None:
    """Create the file whole, or leave the one that is there."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
    print(f"Made development keys in {path}. Keep that file: without it this data cannot be read.", file=sys.stderr)
