"""PostgreSQL's own programs, in a version that fits the server, never just the first on PATH.

An older pg_dump refuses a newer server, and an older pg_restore cannot read what a newer pg_dump wrote. So the version
of the server, or of that pg_dump, is used if it is installed, else the next higher one.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from django.conf import settings

from vibe.core.db.embedded.files import BINARIES
from vibe.core.db.embedded.server import environment_without_libpq
from vibe.core.errors import ConfigurationError

FOLDERS = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # Red Hat and derivatives
    "/usr/local/pgsql*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


@dataclass(frozen=True, slots=True)
class Program:
    """One program and its major version."""

    path: Path
    major: int


def program(name: str, *, major: int) -> Program:
    """Return the program for a server or dump of this major version. Raises ConfigurationError if there is none."""
    found = sorted(installed(name), key=lambda each: each.major)
    for each in found:
        if each.major >= major:
            return each
    seen = ", ".join(f"{each.major} in {each.path.parent}" for each in found) or "none at all"
    raise ConfigurationError(
        f"{name} of PostgreSQL {major} or newer is needed, for the server or the dump is of that version; "
        f"found: {seen}. Install it (Debian: postgresql-client-{major}), or set PG_BIN to the folder it is in."
    )


def installed(name: str) -> Iterator[Program]:
    """Yield the versions of a program: those in PG_BIN alone if it is set, else those of the product and the system."""
    named = [Path(each) for each in settings.PG_BIN.split(os.pathsep) if each]
    for folder in named or [BINARIES, *map(Path, sorted(all_folders()))]:
        if (major := major_of(folder / name)) is not None:
            yield Program(folder / name, major)


def all_folders() -> list[str]:
    """Return the folders where systems install each major version."""
    return [folder for pattern in FOLDERS for folder in glob(pattern)]  # noqa: PTH207  patterns from the root


def major_of(path: Path) -> int | None:
    """Return the major version that a program reports, or None when it does not run."""
    try:
        said = subprocess.run(
            [str(path), "--version"], capture_output=True, text=True, check=False, env=environment_without_libpq()
        ).stdout
    except OSError:
        return None
    found = VERSION.search(said)
    return int(found[1]) if found else None
