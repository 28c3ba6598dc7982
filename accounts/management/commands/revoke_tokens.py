"""Command that signs a person out everywhere."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.management.naming import WHO, named_person
from accounts.people.services.account_status import revoke_tokens
from audit.actors import Actor


class Command(BaseCommand):
    help = "Void every token of a person that came from a sign-in before now. They sign in again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, metavar="WHO", help=WHO)

    def handle(self, *_: Any, user: str, **__: Any) -> None:
        revoke_tokens(user_id=named_person(user), actor=Actor.system("revoke_tokens"))
        self.stdout.write("Signed out everywhere.")
