"""An executor of migrations for a database that is in use."""

from __future__ import annotations

from typing import Any

from django.db.migrations.executor import MigrationExecutor

from vibe.core.db.backend.schema import retry_for_locks


class PatientExecutor(MigrationExecutor):
    """An executor that retries an atomic migration that did not get one of its locks.

    Non-atomic ones retry statement by statement by themselves.
    """

    def apply_migration(self, state: Any, migration: Any, fake: bool = False, fake_initial: bool = False) -> Any:
        run = super().apply_migration
        if not migration.atomic:
            return run(state, migration, fake, fake_initial)
        return retry_for_locks(lambda: run(state.clone(), migration, fake, fake_initial))

    def unapply_migration(self, state: Any, migration: Any, fake: bool = False) -> Any:
        run = super().unapply_migration
        if not migration.atomic:
            return run(state, migration, fake)
        return retry_for_locks(lambda: run(state.clone(), migration, fake))
