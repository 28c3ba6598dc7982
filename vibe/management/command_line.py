"""The command line: commands that write are refused when the master keys do not fit the database.

A command counts as writing unless it is named here, so one that is added later is refused too. Writing includes rows
of the audit log: reading content is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

READ_ONLY: Final = frozenset({
    "axes_list_attempts", "check", "check_migrations", "diffsettings", "doctor", "dumpdata", "export_openapi_schema",
    "findstatic", "inspectdb", "issue_token", "list_api_keys", "print_roles_sql", "sendtestemail", "showmigrations",
    "sqlflush", "sqlmigrate", "sqlsequencereset", "verify_receipt",
})  # fmt: skip
"""Commands that write no row."""
ELSEWHERE: Final = frozenset({
    "collectstatic", "compilemessages", "dbshell", "makemessages", "makemigrations", "optimizemigration",
    "squashmigrations", "startapp", "startproject", "test", "testserver",
})  # fmt: skip
"""Commands that write files or rows of another database; and psql, which uses no key of ours."""
BY_THEMSELVES: Final = frozenset({"restore", "serve", "worker"})
"""Commands that check by themselves: `serve` and `worker` wait for the database first, `restore` needs the backup's
keys."""


class CommandLine(ManagementUtility):
    """Django's command line, with a check of the master keys before each command that writes."""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        command = super().fetch_command(subcommand)
        if subcommand not in READ_ONLY | ELSEWHERE | BY_THEMSELVES:
            command.execute = guarded(command.execute)  # type: ignore[method-assign]
        if subcommand == "procrastinate":
            command.execute = without_worker(command.execute)  # type: ignore[method-assign]
        return command


def without_worker(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Return `execute` of `procrastinate` without its worker, in which all classes of work would share their slots."""

    def execute_others(*arguments: Any, **options: Any) -> Any:
        if options.get("command") == "worker":
            raise CommandError("Its slots would be shared by all classes of work. Run: manage.py worker")
        return execute(*arguments, **options)

    return execute_others


def guarded(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Return `execute` with a check before it. Raises an error if the master keys open no stored key."""

    def execute_guarded(*arguments: Any, **options: Any) -> Any:
        from accounts.keys.master_key import require_fitting_key  # noqa: PLC0415  Django is set up by now

        require_fitting_key()
        if not connection.in_atomic_block:
            connection.close()  # the command may fork, or never use this thread again
        return execute(*arguments, **options)

    return execute_guarded
