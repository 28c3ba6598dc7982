"""Jobs of the trail. They carry nothing, and each verb opens its own scope."""

from __future__ import annotations

from django.db import connection, transaction
from procrastinate.contrib.django import app

from audit.retention.partitions import PATIENCE, ensure_partitions
from audit.sealing.services import seal

QUEUE = "audit"  # of its own, for a worker that does nothing else


@app.periodic(cron="* * * * * */5")  # every five seconds: the sixth field is seconds
@app.task(queue=QUEUE, queueing_lock="audit.seal", pass_context=False)
def seal_trail(timestamp: int) -> None:  # noqa: ARG001
    """Seal what has committed."""
    seal()


@app.periodic(cron="17 3 * * *")
@app.task(queue=QUEUE, queueing_lock="audit.sweep", pass_context=False)
def sweep_trail(timestamp: int) -> None:  # noqa: ARG001
    """Look at every row once a day, whatever the sealer remembers."""
    seal(sweep=True)


@app.periodic(cron="11 2 * * *")
@app.task(queue=QUEUE, queueing_lock="audit.partitions", pass_context=False)
def make_partitions(timestamp: int) -> None:  # noqa: ARG001
    """Make the partitions of the months to come."""
    make_months()


def make_months() -> list[str]:
    """As the owner of the table, in a transaction that gives up rather than hold everybody up."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(PATIENCE)
        return ensure_partitions(cursor)
