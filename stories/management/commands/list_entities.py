from typing import Any

from django.core.management.base import BaseCommand

from accounts.management.naming import WHO, named_person
from audit.actors import Actor
from stories.entities.services import list_entities
from stories.models import Entity


class Command(BaseCommand):
    help = "List the speakers, people, places or events of a person, those of most stories first."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("kind", choices=Entity.Kind.values)
        parser.add_argument("--user", required=True, help=f"whose: {WHO}")
        parser.add_argument("--limit", type=int, default=100, help="names at most (default: 100)")

    def handle(self, *_: Any, **options: Any) -> None:
        user_id = named_person(options["user"])
        actor = Actor.system("list_entities")
        for each in list_entities(user_id=user_id, kind=options["kind"], limit=options["limit"], actor=actor):
            self.stdout.write(f"{each.stories:>6,}  {each.first:%Y-%m-%d} to {each.last:%Y-%m-%d}  {each.name}")
