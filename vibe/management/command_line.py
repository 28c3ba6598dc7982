"""The command line: commands that write are refused where the master keys are not those of the database.

A command writes unless it is named here, so one that is added later is refused too. Writing is what leaves a row, one
of the trail included: whoever reads content is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand
from django.db import connection

READ_ONLY: Final = frozenset({
    "axes_list_attempts", "check", "check_migrations", "diffsettings", "doctor", "dumpdata", "export_openapi_schema",
    "findstatic", "inspectdb", "issue_token", "list_api_keys", "sendtestemail", "showmigrations", "sqlflush",
    "sqlmigrate", "sqlsequencereset", "verify_receipt",
})  # fmt: skip
"""What writes no row."""
ELSEWHERE: Final = frozenset({
    "collectstatic", "compilemessages", "dbshell", "makemessages", "makemigrations", "optimizemigration",
    "squashmigrations", "startapp", "startproject", "test", "testserver",
})  # fmt: skip
"""What writes files, or rows of a database of its own; and psql, which knows no key of ours."""
BY_THEMSELVES: Final = frozenset({"restore", "serve"})
"""`serve` waits for the database first; to `restore` the keys of the backup matter."""


class CommandLine(ManagementUtility):
    """Django's, with a look at the master keys before each command that writes."""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        command = super().fetch_command(subcommand)
        if subcommand not in READ_ONLY | ELSEWHERE | BY_THEMSELVES:
            command.execute = guarded(command.execute)  # type: ignore[method-assign]
        return command


def guarded(execute: Callable[..., Any]) -> Callable[..., Any]:
    """What executes a command, once its arguments are read, unless the master keys open nothing that is stored."""

    def execute_guarded(*arguments: Any, **options: Any) -> Any:
        from accounts.keys.master_key import require_fitting_key  # noqa: PLC0415  Django is set up by now

        require_fitting_key()
        if not connection.in_atomic_block:
            connection.close()  # the command may fork, or never ask by this thread again
        return execute(*arguments, **options)

    return execute_guarded
