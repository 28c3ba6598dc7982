"""Mail to approvers about a request to read content: a link to it, the requester's name and the duration.

The mail says nothing about the person whose content is requested. A job sends it after the request is committed.
"""

from __future__ import annotations

from smtplib import SMTPException
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, get_connection
from django.urls import reverse
from environ import Env
from procrastinate.contrib.django import app

from accounts.grants.separation import APPROVE
from accounts.models import AccessGrant, User
from accounts.staff.backends import StaffBackend
from vibe.core.db.job_classes.classes import WEBHOOKS
from vibe.core.db.jobs import start_jobs
from vibe.core.db.scopes import as_staff, as_support
from vibe.core.errors import ConfigurationError, VibeError
from vibe.core.from_settings import from_settings

JOB: Final = "accounts.mail_approvers"
TIMEOUT_SECONDS: Final = 10


class MailNotSent(VibeError):
    message = "The mail server took no mail. Check EMAIL_URL, and that server."
    code = "mail-not-sent"
    status = 503


@from_settings
def mail_server() -> dict[str, Any]:
    """Return how Django sends mail, from EMAIL_URL; nothing where none is sent. Raises ConfigurationError."""
    if not settings.EMAIL_URL:
        return {}
    try:
        given = Env.email_url_config(settings.EMAIL_URL)
    except (ImproperlyConfigured, ValueError):  # whose text may hold the password
        raise ConfigurationError(
            "EMAIL_URL cannot be read. Set it to such as: smtp+tls://name:password@mail.example.com:587, with %40 for "
            "@ and %2F for / in name and password."
        ) from None
    site = urlsplit(settings.SITE_URL)
    if site.scheme not in ("http", "https") or not site.netloc or site.path.strip("/"):
        raise ConfigurationError(
            "With EMAIL_URL, mails lead to the admin. Set SITE_URL to where staff reach it, such as: "
            "https://vibe.example.com"
        )
    if not settings.DEFAULT_FROM_EMAIL:
        raise ConfigurationError("With EMAIL_URL, mail needs a sender. Set DEFAULT_FROM_EMAIL to its address.")
    return {
        "backend": given["EMAIL_BACKEND"],
        "host": given["EMAIL_HOST"],
        "port": given["EMAIL_PORT"],
        "username": given["EMAIL_HOST_USER"],
        "password": given["EMAIL_HOST_PASSWORD"],
        "use_tls": given.get("EMAIL_USE_TLS"),
        "use_ssl": given.get("EMAIL_USE_SSL"),
        "file_path": given["EMAIL_FILE_PATH"],
        "timeout": TIMEOUT_SECONDS,
    }


def notify_approvers(grant_id: UUID) -> None:
    """Have a job mail the approvers, if the transaction commits and mail is configured."""
    if mail_server():
        start_jobs(app.configure_task(JOB, queue=WEBHOOKS), {"grant_id": str(grant_id)})


def mail_approvers(grant_id: UUID) -> int:
    """Mail everybody who may decide on a request that still waits. Return to how many. Raises MailNotSent."""
    with as_support():
        waiting = AccessGrant.objects.filter(pk=grant_id, approved=None, ended_at=None)
        grant = waiting.only("requested_by", "duration").first()
    if grant is None or not mail_server():
        return 0
    with as_staff():
        by = User.objects.filter(pk=grant.requested_by).values_list("email", flat=True).first()
        approvers = StaffBackend().with_perm(APPROVE).filter(is_staff=True).exclude(pk=grant.requested_by)
        addresses = [user.email for user in approvers.order_by("email").only("email") if user.email]
    if not addresses:
        return 0
    path = reverse("admin:accounts_accessgrant_change", args=[grant_id])
    hours = grant.duration.total_seconds() / 3600
    text = (
        f"{by} asks to read one person's content, for {hours:g} hour{'' if hours == 1 else 's'}. Whose, and why, you "
        f"see there:\n\n{settings.SITE_URL.rstrip('/')}{path}\n\nYou get this because you may approve or refuse it.\n"
    )
    message = EmailMessage(
        "A request to read content waits for your decision",
        text,
        bcc=addresses,
        connection=get_connection(**mail_server()),
        headers={"To": "undisclosed-recipients:;", "Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except (SMTPException, OSError):
        raise MailNotSent from None  # its own text holds addresses
    return len(addresses)
