import os

from django.apps import AppConfig


class VibeConfig(AppConfig):
    name = "vibe"
    verbose_name = "Vibe"

    def ready(self) -> None:
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # the worker counts with the web server that started beside it
            from vibe.metrics.attaching import attach  # noqa: PLC0415

            attach()
