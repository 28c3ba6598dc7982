"""Background jobs. Their arguments are ids only, since arguments are stored and logged in clear."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import OperationalError
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from accounts.authentication.rate_limit_store import forget_full
from accounts.erasure import services as erasure
from accounts.export import services as exporting
from accounts.export.services import JOB
from accounts.grants import notices
from accounts.idempotency import forget_answers
from accounts.keys.errors import KeyServiceUnavailable
from accounts.keys.services import renewal
from accounts.webhooks import outbox
from accounts.webhooks.services import delivering
from audit.actors import Actor
from vibe.core.db.job_classes.classes import WAITED, WEBHOOKS
from vibe.core.errors import VibeError
from vibe.core.file_storage import FilesUnavailable

SENDING_SECONDS: Final = 20.0  # that one job sends webhooks; the next goes on
RETRY = RetryStrategy(max_attempts=5, exponential_wait=4, retry_exceptions={OperationalError})

RETRY_MAIL = RetryStrategy(max_attempts=6, exponential_wait=4, retry_exceptions={OperationalError, notices.MailNotSent})


class ExportFailed(VibeError):
    message = "An export failed; the type of the error is named, its text may hold what people said."
    code = "export-failed"
    cause = ""  # the code of what failed


@app.task(name=JOB, queue=WAITED, retry=RETRY)
def export(user_id: str, export_id: str) -> None:
    """Make a requested export. Raises ExportFailed, or OperationalError to retry."""
    actor, owner, which = Actor.system(JOB), UUID(user_id), UUID(export_id)
    try:
        exporting.make_export(user_id=owner, export_id=which, actor=actor)
    except (OperationalError, KeyServiceUnavailable):
        raise OperationalError("The database or the key service was not there.") from None
    except Exception as problem:
        code = problem.code if isinstance(problem, VibeError) else type(problem).__name__
        exporting.fail_export(user_id=owner, export_id=which, problem=code, actor=actor)
        reason = f" {problem.reason}" if isinstance(problem, FilesUnavailable) else ""
        failed = ExportFailed(f"Export {export_id} failed: {code}.{reason}")
        failed.cause = code
        raise failed from None


@app.periodic(cron="*/10 * * * *")
@app.task(name="accounts.remove_exports", queue=WAITED, queueing_lock="accounts.remove_exports", pass_context=False)
def remove_exports(timestamp: int) -> None:  # noqa: ARG001
    """Remove expired export files."""
    exporting.remove_expired(actor=Actor.system("accounts.remove_exports"))


@app.periodic(cron="*/5 * * * *")
@app.task(name="accounts.erase_due", queue=WAITED, queueing_lock="accounts.erase_due", pass_context=False)
def erase_due(timestamp: int) -> None:  # noqa: ARG001
    """Erase everybody whose grace period is over."""
    erasure.erase_due(actor=Actor.system("accounts.erase_due"))


@app.periodic(cron="7 * * * *")
@app.task(name="accounts.renew_keys", queue=WAITED, queueing_lock="accounts.renew_keys", pass_context=False)
def renew_keys(timestamp: int) -> None:  # noqa: ARG001
    """Renew the data keys that have sealed enough."""
    renewal.renew_due(actor=Actor.system("accounts.renew_keys"))


@app.periodic(cron="23 * * * *")
@app.task(name="accounts.forget_limits", queue=WAITED, queueing_lock="accounts.limits", pass_context=False)
def forget_limits(timestamp: int) -> None:  # noqa: ARG001
    """Delete full buckets, which are equivalent to none."""
    forget_full()


@app.periodic(cron="41 * * * *")
@app.task(name="accounts.forget_answers", queue=WAITED, queueing_lock="accounts.answers", pass_context=False)
def forget_kept_answers(timestamp: int) -> None:  # noqa: ARG001
    """Delete responses older than a day, which are not retried any more."""
    forget_answers(actor=Actor.system("accounts.forget_answers"))


@app.periodic(cron="* * * * * */5")
@app.task(name="accounts.send_webhooks", queue=WEBHOOKS, queueing_lock="accounts.send_webhooks", pass_context=False)
def send_webhooks(timestamp: int) -> None:  # noqa: ARG001
    """Send the webhooks that are due."""
    try:
        delivering.deliver_due(actor=Actor.system("accounts.send_webhooks"), seconds=SENDING_SECONDS)
    except KeyServiceUnavailable:
        raise OperationalError("The key service was not there.") from None


@app.task(name=notices.JOB, queue=WEBHOOKS, retry=RETRY_MAIL)
def mail_approvers(grant_id: str) -> None:
    """Mail approvers that a request to read content waits for them."""
    notices.mail_approvers(UUID(grant_id))


@app.periodic(cron="53 * * * *")
@app.task(name="accounts.forget_webhooks", queue=WAITED, queueing_lock="accounts.forget_webhooks", pass_context=False)
def forget_webhooks(timestamp: int) -> None:  # noqa: ARG001
    """Delete the records of webhooks that are old, and bring back those that a wrong clock put off."""
    outbox.prune()
    outbox.bring_back()
