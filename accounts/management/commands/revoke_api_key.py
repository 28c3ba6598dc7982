"""Command that revokes an API key."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.api_keys import services as api_keys
from audit.actors import Actor
from vibe.core.errors import NotFound


class Command(BaseCommand):
    help = "Revoke an API key. Requests with it are refused from the next one on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=UUID, help="as list_api_keys shows it")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            ended = api_keys.revoke_api_key(key_id=options["id"], actor=Actor.system("revoke_api_key"))
        except NotFound as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write("Revoked." if ended else "It was revoked already.")
