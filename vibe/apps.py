import os

from django.apps import AppConfig
from django.conf import settings

from vibe.core.crypto.strength import strong_text
from vibe.core.db.configured import database
from vibe.core.errors import ConfigurationError


class VibeConfig(AppConfig):
    name = "vibe"
    verbose_name = "Vibe"

    def ready(self) -> None:
        from audit.client import networks_of  # noqa: PLC0415
        from vibe.mcp.protected_resource import protected_resource  # noqa: PLC0415

        if not settings.DEBUG:
            strong_text("SECRET_KEY", settings.SECRET_KEY)
        networks_of("METRICS_NETWORKS")  # an invalid setting stops the start
        if settings.BACKUP_DATABASE_URL:
            database(settings.BACKUP_DATABASE_URL, setting="BACKUP_DATABASE_URL")
        protected_resource()
        if settings.LOG_FORMAT not in ("text", "json"):
            raise ConfigurationError("LOG_FORMAT is neither text nor json. Set it to one of them.")
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # the worker shares counters with the web server started beside it
            from vibe.metrics.attaching import attach  # noqa: PLC0415

            attach()
