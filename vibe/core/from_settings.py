"""Objects built from settings: each part builds its own where it is used, and settings.py holds plain values."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from django.core.signals import setting_changed

Built = TypeVar("Built")


def from_settings(build: Callable[[], Built]) -> Callable[[], Built]:
    """Call `build` once a process, and again after a setting has changed, as in tests.

    The app of each part calls it in `ready()`, so that a wrong setting stops the start.
    """
    built = cache(build)
    setting_changed.connect(lambda **_: built.cache_clear(), weak=False)
    return built
