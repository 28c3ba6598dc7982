"""Steps before the first request: wait for the database, check the configuration, apply migrations, and erase people
again whom a restore brought back. Migrations are applied once, however many replicas start together.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import checks
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from accounts.erasure.services import erase_again, unfinished_erasures
from audit.actors import Actor
from vibe.core.db.migrating.lock import migration_lock
from vibe.core.db.migrating.retired import newer_of, require_current_database
from vibe.core.errors import ConfigurationError

Name = tuple[str, str]  # app, migration

Say = Callable[[str], None]
ASK_EVERY_SECONDS = 0.5


def pending() -> list[str]:
    """Return the migrations of this code that the database lacks, such as `accounts.0007_takeout`."""
    there = set(MigrationRecorder(connection).applied_migrations())
    return [f"{app}.{name}" for app, name in known() if (app, name) not in there]


@cache
def known() -> tuple[Name, ...]:
    """Return the migrations of this code, in the order they are applied."""
    graph = MigrationLoader(None).graph
    return tuple(dict.fromkeys(node for leaf in graph.leaf_nodes() for node in graph.forwards_plan(leaf)))


def apply_pending(say: Callable[[str], None]) -> list[str]:
    """Apply pending migrations and return them; none, if another replica applied them meanwhile."""
    if not pending():
        return []
    with migration_lock(lambda: say("Another replica migrates; waiting for it.")):
        missing = pending()
        if missing:
            say(f"Applying {len(missing)} migrations …")
            call_command("migrate", verbosity=0, interactive=False)
        return missing


def prepare(*, migrate: bool, say: Say) -> None:
    """Run all steps in order. Raises an error that stops the start and says what to do."""
    wait_for_database(seconds=settings.DATABASE_WAIT_SECONDS, say=say)
    check_configuration(say)
    require_current_database()
    if newer := newer_of(MigrationRecorder(connection).applied_migrations()):
        say(f"The database is of a newer version: migration {newer[0]} is unknown to this one. Run: manage.py doctor")
    if migrate:
        applied = apply_pending(say)
        say(f"Applied: {', '.join(applied)}" if applied else "Nothing to migrate.")
    if missing := pending():
        say(f"{len(missing)} migrations are pending and are not applied here. Run: manage.py migrate")
    else:
        erase_who_is_back(say)


def erase_who_is_back(say: Say) -> None:
    """Erase people again who came back with an older backup, before any request is served."""
    if unfinished_erasures():
        with migration_lock():
            again = erase_again(actor=Actor.system("serve"))
        say(f"{len(again)} people who had been erased were back, and are erased again.")


def check_configuration(say: Say) -> None:
    """Run all system checks, with those for production. Report warnings; raise ConfigurationError for errors."""
    require_static_files()
    found = checks.run_checks(include_deployment_checks=not settings.DEBUG, databases=["default"])
    heard = [message for message in found if not message.is_silenced()]
    errors = [message for message in heard if message.is_serious()]
    for message in heard:
        if message not in errors:
            say(str(message))
    if errors:
        raise ConfigurationError("The configuration does not hold.\n" + "\n".join(map(str, errors)))


def require_static_files() -> None:
    """Raise ConfigurationError if the folder of the admin's styles and scripts has not been filled."""
    if not settings.DEBUG and not getattr(staticfiles_storage, "hashed_files", True):
        raise ConfigurationError(
            f"The static files are not in {settings.STATIC_ROOT}. Run: manage.py collectstatic --noinput"
        )


def wait_for_database(*, seconds: float, say: Say) -> None:
    """Return when the database answers. When a whole machine starts, the database may start after us.

    Each new reason for the wait is reported once; the last one is raised.
    """
    said = ""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.ensure_connection()
            return
        except OperationalError as problem:
            if time.monotonic() >= deadline:
                raise
            if said != (said := str(problem)):
                say(f"Waiting up to {seconds:g} s for the database. {said}")
        time.sleep(ASK_EVERY_SECONDS)
