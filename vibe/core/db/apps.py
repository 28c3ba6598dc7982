from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class DbConfig(AppConfig):
    name = "vibe.core.db"
    label = "vibe_db"
    verbose_name = "Database"

    def ready(self) -> None:
        from vibe.core.db import checks  # noqa: F401, PLC0415
        from vibe.core.db.job_classes import classes  # noqa: PLC0415
        from vibe.core.db.schema import statistics  # noqa: PLC0415

        for alias in connections:
            connections[alias]  # whose URL is read: a wrong one stops the start
        post_migrate.connect(statistics.exclude_sealed_columns)  # whichever app it is sent for
        classes.slots()  # a wrong setting stops the start
