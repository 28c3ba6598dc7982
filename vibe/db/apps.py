from django.apps import AppConfig
from django.db.models.signals import post_migrate


class DbConfig(AppConfig):
    name = "vibe.db"
    label = "vibe_db"
    verbose_name = "Database"

    def ready(self) -> None:
        from vibe.db import checks, unsampled  # noqa: F401, PLC0415

        post_migrate.connect(unsampled.keep_out)  # whichever app it is sent for: this one has no models
