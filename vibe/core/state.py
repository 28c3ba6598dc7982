"""The environment, and the state folder: database and generated secrets of a machine with nothing configured."""

from __future__ import annotations

import fcntl
import os
import secrets
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from environ.fileaware_mapping import FileAwareMapping

from vibe.core.errors import ConfigurationError

FILE = "secrets.env"
BYTES = 32


class Environment(FileAwareMapping):  # type: ignore[misc]  # from a package without types
    """The environment. NAME_FILE names a file that holds NAME, as containers are given secrets."""

    def __getitem__(self, name: str) -> str:
        """Return a value, that of a file without the space around it.

        Raises KeyError; ConfigurationError for a file that cannot be read or is empty, and where both are set.
        """
        place = f"{name}_FILE"
        path = self.env.get(place)
        if not path:
            return str(self.env[name])
        if self.env.get(name):
            raise ConfigurationError(f"{name} and {place} are both set. Unset one of them.")
        try:
            value = str(super().__getitem__(name)).strip()
        except (OSError, UnicodeDecodeError) as problem:
            reason = (problem.strerror if isinstance(problem, OSError) else None) or type(problem).__name__
            raise ConfigurationError(f"The file that {place} names cannot be read ({reason}): {path}") from None
        if not value:
            raise ConfigurationError(f"The file that {place} names is empty: {path}")
        return value


environment = Environment()


def read_secret(name: str, *, folder: Path, made: Sequence[str]) -> str:
    """Read a secret from the environment; one of `made` that is not set there is made once in the folder.

    Raises ConfigurationError for any other.
    """
    value: str = environment.get(name, "").strip()
    if not value and name in made:
        value = load_or_make_secrets(folder, made)[name]
    if not value:
        raise ConfigurationError(
            f"{name} is not set, nor {name}_FILE, and DEBUG is off. Make one with: openssl rand -hex 32"
        )
    return value


def load_or_make_secrets(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the named secrets of `folder`, 64 hex digits each; made on first use, in a file only its owner can read.

    Several processes may call this at once: one makes, the others wait and read. A name that a file of an earlier
    version lacks is added to it. Raises ConfigurationError when the file cannot be read or made.
    """
    path = folder / FILE
    try:
        known = read_secrets(path)
        if not known.keys() >= set(names):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            known = add_missing_secrets(path, names)
    except (OSError, UnicodeDecodeError) as problem:
        reason = (problem.strerror if isinstance(problem, OSError) else None) or type(problem).__name__
        raise ConfigurationError(
            f"The development keys in {path} cannot be read or made ({reason}). Run as the user who owns that folder, "
            "set VIBE_STATE_DIR to another one, or set the keys in the environment."
        ) from None
    return known


def read_secrets(path: Path) -> dict[str, str]:
    """Read the secrets of the file, if there is one. A last line without its end may still be being written."""
    try:
        with path.open(encoding="ascii") as file:
            keep_private(file, path)
            return parse_secrets(line for line in file if line.endswith("\n"))
    except FileNotFoundError:
        return {}


def add_missing_secrets(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Append the missing secrets, one process at a time, and sync them to disk. Existing ones are never changed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        known = parse_secrets(text.splitlines())
        missing = {name: secrets.token_hex(BYTES) for name in names if name not in known}
        if missing:
            lines = "".join(f"{name}={value}\n" for name, value in missing.items())
            file.write(lines if not text or text.endswith("\n") else "\n" + lines)
            file.flush()
            os.fsync(file.fileno())
            sync_folder(path.parent)
            print(
                f"Made development keys ({', '.join(missing)}) in {path}. "
                "Keep that file: without it this data cannot be read.",
                file=sys.stderr,
            )
    return {**known, **missing}


def parse_secrets(lines: Iterable[str]) -> dict[str, str]:
    """Parse lines of NAME=value."""
    return dict(line.strip().split("=", 1) for line in lines if "=" in line)


def keep_private(file: TextIO, path: Path) -> None:
    """Remove others' access to a key file, and print a warning: somebody may have read it."""
    if os.fstat(file.fileno()).st_mode & 0o077:
        os.fchmod(file.fileno(), 0o600)
        print(f"{path} could be read by other users of this machine. It was closed to them.", file=sys.stderr)


def sync_folder(folder: Path) -> None:
    """Sync the folder, so that the file's name is on disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
