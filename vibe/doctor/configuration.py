"""Checks of settings that are unsafe in production."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core import checks

from vibe.core.errors import ConfigurationError
from vibe.doctor.findings import Finding, Severity, error, note, warning
from vibe.serving.preparing import require_static_files

SECRETS: Final = {
    *("SECRET_KEY", "ENCRYPTION_KEY", "ENCRYPTION_KEYS_RETIRED", "AUDIT_SIGNING_KEY", "AUDIT_SIGNING_KEYS_RETIRED"),
    *("DATABASE_URL", "REPLICA_URL", "BACKUP_DATABASE_URL", "OPENAI_API_KEY", "METRICS_TOKEN"),
}


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
