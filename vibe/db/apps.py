from django.apps import AppConfig


class DbConfig(AppConfig):
    name = "vibe.db"
    label = "vibe_db"
    verbose_name = "Database"

    def ready(self) -> None:
        from vibe.db import checks  # noqa: F401, PLC0415
