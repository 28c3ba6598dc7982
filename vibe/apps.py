import os

from django.apps import AppConfig
from django.conf import settings

from vibe.core.crypto.strength import strong_text


class VibeConfig(AppConfig):
    name = "vibe"
    verbose_name = "Vibe"

    def ready(self) -> None:
        if not settings.DEBUG:
            strong_text("SECRET_KEY", settings.SECRET_KEY)
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # the worker counts with the web server that started beside it
            from vibe.metrics.attaching import attach  # noqa: PLC0415

            attach()
