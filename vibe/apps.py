from django.apps import AppConfig


class VibeConfig(AppConfig):
    name = "vibe"
    verbose_name = "Vibe"
