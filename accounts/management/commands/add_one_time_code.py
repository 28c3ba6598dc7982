"""Command that gives a member of staff a new secret for one-time codes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.staff.services import enroll
from audit.actors import Actor
from vibe.core.errors import NotFound


class Command(BaseCommand):
    help = "Give a member of staff a new secret for one-time codes, and void the one before. Shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="of the member of staff")

    def handle(self, *_: Any, email: str, **__: Any) -> None:
        try:
            url = enroll(email=email, actor=Actor.system("add_one_time_code"))
        except NotFound as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(url)
        self.stderr.write("Enter it into an authenticator app, by hand or as a QR code. It is not shown again.")
