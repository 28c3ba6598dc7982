from typing import Any

from django.core.management.commands import migrate

from vibe.db.migrating import PatientExecutor


class Command(migrate.Command):
    help = "Django's migrate, which holds nobody up while it waits for a lock: see docs/migrations.md."

    def handle(self, *arguments: Any, **options: Any) -> None:
        # Django gives no other place to say it.
        migrate.MigrationExecutor = PatientExecutor  # type: ignore[attr-defined]
        super().handle(*arguments, **options)
