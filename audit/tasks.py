"""Jobs of the audit log. They have no arguments, and each service opens its own scope."""

from __future__ import annotations

from django.db import connection, transaction
from procrastinate.contrib.django import app

from audit.retention.partitions import PATIENCE, ensure_partitions
from audit.sealing.services import seal
from vibe.core.db.job_classes.classes import AUDIT


@app.periodic(cron="* * * * * */5")  # every five seconds: the sixth field is seconds
@app.task(queue=AUDIT, queueing_lock="audit.seal", pass_context=False)
def seal_trail(timestamp: int) -> None:  # noqa: ARG001
    """Seal the rows that have committed."""
    seal()


@app.periodic(cron="17 3 * * *")
@app.task(queue=AUDIT, queueing_lock="audit.sweep", pass_context=False)
def sweep_trail(timestamp: int) -> None:  # noqa: ARG001
    """Examine every row once a day, regardless of the sealer's snapshot."""
    seal(sweep=True)


@app.periodic(cron="11 2 * * *")
@app.task(queue=AUDIT, queueing_lock="audit.partitions", pass_context=False)
def make_partitions(timestamp: int) -> None:  # noqa: ARG001
    """Create the partitions of the coming months."""
    make_months()


def make_months() -> list[str]:
    """Create partitions as the table owner, with a lock timeout so that writers are not blocked. Return their names."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(PATIENCE)
        return ensure_partitions(cursor)
