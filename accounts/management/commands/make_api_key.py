"""Command that makes an API key for a server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.api_keys import services as api_keys
from accounts.management.naming import WHO, named_person
from accounts.models.api_keys import SCOPES
from audit.actors import Actor
from vibe.core.errors import InputError


class Command(BaseCommand):
    help = "Make an API key and print it. It is shown this once; only its digest is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="what it is for")
        parser.add_argument("--scope", action="append", choices=sorted(SCOPES), help="may be given several times")
        parser.add_argument("--days", type=int, default=365, help="how long it is valid (default: 365)")
        parser.add_argument("--for", dest="person", metavar="WHO", help=f"the only person it may act for: {WHO}")
        parser.add_argument("--companion", help="the only companion whose conversations it opens")

    def handle(self, *_: Any, name: str, scope: list[str] | None, days: int, **options: Any) -> None:
        person = options["person"]
        try:
            _id, credential = api_keys.make_api_key(
                name=name,
                scopes=set(scope or ["read"]),
                lasts=timedelta(days=max(0, min(days, 10_000))),
                person=named_person(person) if person else None,
                companion=options["companion"],
                actor=Actor.system("make_api_key"),
            )
        except InputError as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(credential)
        self.stderr.write("Keep it where secrets are kept: it cannot be shown again.")
