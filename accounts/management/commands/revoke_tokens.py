"""Command that signs a person out everywhere."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.people.services.account_status import revoke_tokens
from accounts.people.services.people import find_person
from audit.actors import Actor
from vibe.core.errors import NotFound


class Command(BaseCommand):
    help = "Void every token of a person that came from a sign-in before now. They sign in again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, metavar="WHO", help="Firebase UID, email or id")

    def handle(self, *_: Any, user: str, **__: Any) -> None:
        try:
            revoke_tokens(user_id=find_person(user), actor=Actor.system("revoke_tokens"))
        except NotFound as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write("Signed out everywhere.")
