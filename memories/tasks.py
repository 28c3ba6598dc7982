"""Background jobs."""

from __future__ import annotations

from procrastinate.contrib.django import app

from audit.actors import Actor
from memories.services.expiring import delete_expired
from vibe.core.db.job_classes.classes import WAITED

NAME = "memories.delete_expired"


@app.periodic(cron="* * * * *")
@app.task(name=NAME, queue=WAITED, queueing_lock=NAME, pass_context=False)
def delete_expired_memories(timestamp: int) -> None:  # noqa: ARG001
    """Delete the memories that have expired."""
    delete_expired(actor=Actor.system(NAME))
