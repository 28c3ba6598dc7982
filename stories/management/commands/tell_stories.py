from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand
from tqdm import tqdm

from accounts.management.naming import WHO, named_person
from accounts.models import User
from audit.actors import Actor
from memories.models import Conversation
from stories.building.services.build import build_story
from stories.index.services import settle_graph
from vibe.core.db.scopes import as_system, as_user


class Command(BaseCommand):
    help = "Build every story that is missing or out of date, here and now, without a worker."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--user", help=f"only this person's: {WHO}")

    def handle(self, *_: Any, **options: Any) -> None:
        actor = Actor.system("tell_stories")
        work = list(conversations(named_person(options["user"]) if options["user"] else None))
        built = 0
        for user_id, conversation_id in tqdm(work, unit="stories", disable=None):
            built += build_story(user_id=user_id, conversation_id=conversation_id, actor=actor)
        for user_id in {user_id for user_id, _ in work}:
            settle_graph(user_id=user_id, actor=actor)
        self.stdout.write(f"{built:,} stories built; {len(work) - built:,} were up to date.")


def conversations(only: UUID | None) -> list[tuple[UUID, UUID]]:
    """(person, conversation) of all, or of one person."""
    with as_system():
        people = [only] if only else list(User.objects.filter(is_staff=False).values_list("pk", flat=True))
    found = []
    for user_id in people:
        with as_user(user_id):
            found += [(user_id, each) for each in Conversation.objects.of(user_id).values_list("pk", flat=True)]
    return found
