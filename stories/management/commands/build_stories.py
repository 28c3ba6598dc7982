from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.management.naming import WHO, named_people
from audit.actors import Actor
from stories.building.services.build import try_building
from stories.index.services import index_pending, settle_graph
from stories.models import PendingMemory, Story
from stories.processors.configured import EmbedderFailed
from stories.processors.openai_compatible.errors import TokensSpent
from vibe.core.db.scopes import as_user


class Command(BaseCommand):
    help = (
        "Index every memory that is pending and build every story that is to be built, here and now, without a worker."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--user", help=f"only this person's: {WHO}")

    def handle(self, *_: Any, **options: Any) -> None:
        actor = Actor.system("build_stories")
        everybody = named_people(options["user"], to_process=True)
        with tqdm(total=sum(map(pending, everybody)), unit="memories", disable=None) as bar:
            for user_id in everybody:
                try:
                    for bulk_ones in (False, True):
                        index_pending(user_id=user_id, bulk_ones=bulk_ones, actor=actor, on_progress=bar.update)
                except (EmbedderFailed, TokensSpent) as problem:
                    raise CommandError(f"{problem} What was indexed is kept: run it again.") from None
        work = [(user_id, story_id) for user_id in everybody for story_id in unbuilt(user_id)]
        built = 0
        for user_id, story_id in tqdm(work, unit="stories", disable=None):
            built += try_building(user_id, story_id, actor=actor)
        for user_id in everybody:
            settle_graph(user_id=user_id, actor=actor)
        self.stdout.write(f"{built:,} stories built; {len(work) - built:,} were put off.")


def pending(user_id: UUID) -> int:
    """Return how many memories of a person are to be indexed."""
    with as_user(user_id):
        return PendingMemory.objects.of(user_id).count()


def unbuilt(user_id: UUID) -> list[UUID]:
    """Return the stories of a person that are to be built some time, also where that is not due yet."""
    with as_user(user_id):
        return list(Story.objects.of(user_id).filter(due_at__isnull=False).order_by("id").values_list("pk", flat=True))
