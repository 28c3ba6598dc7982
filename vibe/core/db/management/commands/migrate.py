from contextlib import nullcontext
from typing import Any

from django.core.management.commands import migrate

from vibe.core.db.migrating.lock import PatientExecutor, migration_lock
from vibe.core.db.migrating.retired import require_current_database
from vibe.core.db.scale.distribution.applying import place_new_tables


class Command(migrate.Command):
    help = "Django's migrate, one at a time, which holds nobody up while it waits: see docs/migrations.md."

    def handle(self, *arguments: Any, **options: Any) -> None:
        # Django gives no other place to say it.
        migrate.MigrationExecutor = PatientExecutor  # type: ignore[attr-defined]
        only_looks = options["plan"] or options["check_unapplied"]
        turn = nullcontext() if only_looks else migration_lock(self.tell_waiting)
        with turn:
            require_current_database()
            super().handle(*arguments, **options)
            if not only_looks:
                place_new_tables(on_step=lambda step, _: self.stdout.write(f"  On the cluster: {step.what}"))

    def tell_waiting(self) -> None:
        self.stderr.write("Somebody else migrates this database; waiting.")
