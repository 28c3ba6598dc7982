"""Times as the admin writes them. A script shows them in the reader's time zone: static/vibe/local_times.js."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format


def to_the_second(at: datetime) -> str:
    """Return a time with its seconds, where the order of what happened matters."""
    return date_format(at, r"j M Y, H:i:s \U\T\C")
