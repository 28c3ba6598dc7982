"""Checks that backups are taken, and tried."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings

from vibe.doctor.findings import Finding, warning
from vibe.metrics import figures


def ages() -> Iterator[Finding]:
    """Compare the ages of the last backup and of the last drill with BACKUP_HOURS and DRILL_DAYS; 0 is no check."""
    if settings.DEBUG:
        return
    for done, most, named, do in (
        (figures.backup_age(), settings.BACKUP_HOURS * 3600, "backup was taken", "manage.py backup FILE"),
        (figures.drill_age(), settings.DRILL_DAYS * 86_400, "drill passed", "manage.py restore --drill FILE"),
    ):
        age = done[0][1] if done else None
        if most and (age is None or age > most):
            said = f"The last {named} {age / 3600:,.0f} hours ago." if age is not None else f"No {named} yet."
            yield warning(
                said,
                why="What is lost is all since then; and a backup that was never restored is a hope.",
                do=f"{do}: docs/backup.md. Where something else backs up, set BACKUP_HOURS=0 and DRILL_DAYS=0",
            )
