"""Command that prints a token to try the API with on a development machine."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.authentication import local_tokens
from accounts.management.naming import WHO
from accounts.models import User
from accounts.people.names import NameAmbiguous, read_name
from accounts.people.services.people import find_person
from vibe.core.db.scopes import as_system
from vibe.core.errors import ConfigurationError, NotFound


class Command(BaseCommand):
    help = "Print a token that signs a person in on this machine. For development: see docs/sign-in.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, metavar="WHO", help=f"{WHO}; or a new UID")
        parser.add_argument("--minutes", type=int, default=60, help="how long it is valid (default: 60)")
        parser.add_argument("--companion", help="the only companion whose conversations it opens")

    def handle(self, *_: Any, user: str, minutes: int, companion: str | None, **__: Any) -> None:
        if not 0 < minutes <= 60 * 24:
            raise CommandError("--minutes must be between 1 and 1440.")
        try:
            local_tokens.require_local()
            uid, email = whose(user)
            self.stdout.write(local_tokens.issue(uid=uid, email=email, seconds=minutes * 60, companion=companion))
        except (ConfigurationError, NameAmbiguous, NotFound) as problem:
            raise CommandError(str(problem)) from None


def whose(who: str) -> tuple[str, str | None]:
    """Return Firebase UID and email of a known person; for a new one the name as UID, and as email too if it is one.

    Raises NotFound for an id of nobody, and NameAmbiguous.
    """
    try:
        user_id = find_person(who)
    except NotFound:
        if (name := read_name(who)).kind == "id":
            raise
        return name.value, name.value if "@" in name.value and name.kind != "uid" else None
    with as_system():
        person = User.objects.only("firebase_uid", "email").get(pk=user_id)
    return person.firebase_uid or who, person.email
