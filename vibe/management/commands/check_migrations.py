import importlib.util
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Refuse migrations that would hold others up or break running processes, and name the safe way."
    requires_system_checks: tuple[str, ...] = ()

    def handle(self, *_: Any, **__: Any) -> None:
        if importlib.util.find_spec("pglast") is None:
            raise CommandError("check_migrations needs pglast, a package for development. Type: make develop")
        from vibe.core.db.migrating.lint import findings  # noqa: PLC0415  it imports pglast

        ours = [each.label for each in apps.get_app_configs() if each.path.startswith(str(settings.BASE_DIR))]
        labels = [label for label in ours if "site-packages" not in apps.get_app_config(label).path]
        found = list(findings(labels))
        for each in found:
            self.stderr.write(f"{each}\n")
        if found:
            raise CommandError(f"{len(found)} operations are refused. docs/migrations.md says more of each rule.")
        self.stdout.write("The migrations hold nobody up.")
