"""Checks of settings that are unsafe in production, of the machine, and of where files are stored."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core import checks

from accounts.erasure.tombstones import lines
from accounts.export.files import stored as exports
from memories.imports.uploads import stored as imports
from vibe.core.errors import ConfigurationError
from vibe.core.file_storage import Files, FilesUnavailable
from vibe.doctor.findings import Finding, Severity, error, note, warning
from vibe.metrics import figures
from vibe.serving.preparing import require_static_files

SECRETS: Final = {
    *("SECRET_KEY", "ENCRYPTION_KEY", "ENCRYPTION_KEYS_RETIRED", "AUDIT_SIGNING_KEY", "AUDIT_SIGNING_KEYS_RETIRED"),
    *("DATABASE_URL", "REPLICA_URL", "BACKUP_DATABASE_URL", "OPENAI_API_KEY", "METRICS_TOKEN"),
}

LOW, EMPTY = 0.15, 0.05  # of the disk
ENOUGH_BYTES = 20 * 1024**3  # regardless of the share of the disk


def debug() -> Iterator[Finding]:
    if settings.DEBUG:
        yield warning(
            "DEBUG is on.",
            why="Error pages show source and variables, and missing secrets are made up.",
            do="Set DEBUG=off in production",
        )


def database_url() -> Iterator[Finding]:
    if not settings.DATABASE_URL and not settings.DEBUG:
        yield warning(
            "DATABASE_URL is not set: the data is in the embedded server.",
            why="It serves one machine, and nobody but this program looks after it.",
            do="Set DATABASE_URL: docs/configuration.md",
        )


def declared() -> Iterator[Finding]:
    """Run Django's and our own system checks, with those for production."""
    for message in checks.run_checks(include_deployment_checks=not settings.DEBUG, databases=["default"]):
        if message.is_silenced() or message.id == "vibe.W001":  # reported by server.roles
            continue
        severity = Severity.ERROR if message.is_serious() else Severity.WARNING
        yield Finding(
            severity, f"{message.id}: {message.msg}", "A system check says so.", message.hint or "See its text"
        )


def loosened() -> Iterator[Finding]:
    """Report protections that a setting loosens."""
    if settings.DEBUG:
        return
    if not settings.ONE_TIME_CODES:
        yield warning(
            "ONE_TIME_CODES is off.",
            why="A stolen password of a member of staff is enough to sign in, and no grant can be approved.",
            do="Set ONE_TIME_CODES=on",
        )
    if settings.GRANT_SEPARATION_DAYS < 1:
        yield warning(
            "GRANT_SEPARATION_DAYS is 0.",
            why="A superuser can make an account that approves their own request at once.",
            do="Set GRANT_SEPARATION_DAYS=7",
        )
    if settings.GRANTS_ALLOW_SELF_APPROVAL:
        yield note(
            "GRANTS_ALLOW_SELF_APPROVAL is on.",
            why="Staff let themselves in to read content; each time it is recorded.",
            do="Set it off once there are two of you",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield error(
            "ALLOWED_HOSTS takes every host name.",
            why="Links in answers can then be made to lead elsewhere.",
            do="Set ALLOWED_HOSTS to your host names",
        )
    if settings.METRICS_TOKEN and len(settings.METRICS_TOKEN) < 16:
        yield warning(
            "METRICS_TOKEN is short.",
            why="It can be guessed, and shows how much is going on.",
            do="openssl rand -hex 32",
        )


def secret_files() -> Iterator[Finding]:
    """Report files of secrets that every user of the machine may read."""
    for name, path in os.environ.items():
        is_secret = name.endswith("_FILE") and name.removesuffix("_FILE") in SECRETS
        if is_secret and Path(path).stat().st_mode & stat.S_IROTH:
            yield warning(
                f"The file that {name} names can be read by every user of this machine.",
                why="Any of its programs can take the secret.",
                do=f"chmod o-rwx {path}; for Kubernetes: defaultMode: 0440 of the volume",
            )


def static_files() -> Iterator[Finding]:
    try:
        require_static_files()
    except ConfigurationError as problem:
        yield error(
            str(problem), why="The admin has neither styles nor scripts.", do="manage.py collectstatic --noinput"
        )


def disk() -> Iterator[Finding]:
    for place, usage in figures.disk():
        left = usage.free / usage.total
        if left >= LOW or usage.free > ENOUGH_BYTES:
            continue
        found = error if left < EMPTY else warning
        yield found(
            f"{left:.0%} of the disk of the {place} folder is free ({usage.free / 1024**3:.1f} GB).",
            why="A full disk stops checkpoints of the trail and, where it is the database's too, every write.",
            do=f"df -h {settings.STATE_DIR}; free space or enlarge the disk",
        )


def state_folder() -> Iterator[Finding]:
    """Check that no other user can list the state folder, and that we can write to it."""
    folder = settings.STATE_DIR
    if folder.exists() and folder.stat().st_mode & 0o044:
        yield warning(
            f"Other users of this machine can list {folder}.",
            why="Development keys and the trail's checkpoints lie there.",
            do=f"chmod go-r {folder}",
        )
    if folder.exists() and not os.access(folder, os.W_OK):
        yield error(
            f"{folder} cannot be written to by this user.",
            why="The trail's checkpoints are written there.",
            do="Run as the user who owns it, or set VIBE_STATE_DIR to another folder",
        )


def file_storage() -> Iterator[Finding]:
    """Check that files of exports and imports can be written, read and removed, and the list of erasures read."""
    problems = {}
    for check in (lambda: try_out(exports()), lambda: try_out(imports()), lambda: sum(1 for _ in lines())):
        try:
            check()
        except FilesUnavailable as problem:
            problems[problem.reason] = problem
    for reason, found in problems.items():
        yield error(
            reason.removesuffix(found.helps).strip(),
            why="Nobody can export or import, and erasures wait: the list comes before the first key is destroyed.",
            do=found.helps,
        )


def try_out(files: Files) -> None:
    """Write a file, read it, and remove it."""
    name = f"probe-{os.getpid()}"
    files.write(name, [b"probe"])
    with files.read(name) as source:
        source.read()
    files.remove(name)
