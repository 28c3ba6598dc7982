"""Background jobs."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import OperationalError
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from audit.actors import Actor
from memories.imports.services import uploaded
from memories.imports.services.uploaded import JOB
from memories.services.forgetting import delete_expired
from vibe.core.db.job_classes.classes import IMPORTS, WAITED
from vibe.core.errors import VibeError

NAME = "memories.delete_expired"
REMOVE: Final = "memories.remove_uploads"
RETRY: Final = RetryStrategy(max_attempts=5, exponential_wait=4, retry_exceptions={OperationalError})


class ImportFailed(VibeError):
    message = "An import failed; the type of the error is named, its text may hold what people said."
    code = "import-failed"
    cause = ""  # the code of what failed


@app.periodic(cron="* * * * *")
@app.task(name=NAME, queue=WAITED, queueing_lock=NAME, pass_context=False)
def delete_expired_memories(timestamp: int) -> None:  # noqa: ARG001
    """Delete the memories that have expired."""
    delete_expired(actor=Actor.system(NAME))


@app.task(name=JOB, queue=IMPORTS, retry=RETRY)
def import_upload(user_id: str, import_id: str) -> None:
    """Import an uploaded file. Raises ImportFailed, or OperationalError to retry."""
    actor, owner, which = Actor.system(JOB), UUID(user_id), UUID(import_id)
    try:
        uploaded.run_import(user_id=owner, import_id=which, actor=actor)
    except OperationalError:
        raise OperationalError("The database was not there.") from None
    except Exception as problem:
        code = problem.code if isinstance(problem, VibeError) else type(problem).__name__
        uploaded.fail_import(user_id=owner, import_id=which, problem=code, actor=actor)
        failed = ImportFailed(f"Import {import_id} failed: {code}.")
        failed.cause = code
        raise failed from None


@app.periodic(cron="*/10 * * * *")
@app.task(name=REMOVE, queue=WAITED, queueing_lock=REMOVE, pass_context=False)
def remove_uploads(timestamp: int) -> None:  # noqa: ARG001
    """Remove the files of uploads that nobody finished."""
    uploaded.remove_abandoned(actor=Actor.system(REMOVE))
