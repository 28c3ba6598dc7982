from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.management.naming import WHO, named_people
from audit.actors import Actor
from stories.index.services import count_outdated, reindex_person
from stories.processors.configured import EmbedderFailed
from stories.processors.openai_compatible.errors import TokensSpent


class Command(BaseCommand):
    help = "Make words, parts and vectors of memories again, those of an earlier form, while search goes on."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--user", help=f"only this person's: {WHO}")
        parser.add_argument("--all", action="store_true", help="all of them, not only those of an earlier form")

    def handle(self, *_: Any, **options: Any) -> None:
        actor, everything = Actor.system("reindex"), options["all"]
        everybody = named_people(options["user"], to_process=True)
        done = 0
        with tqdm(
            total=sum(count_outdated(each, everything=everything) for each in everybody), unit="memories", disable=None
        ) as bar:
            for user_id in everybody:
                try:
                    done += reindex_person(user_id=user_id, everything=everything, actor=actor, on_progress=bar.update)
                except (EmbedderFailed, TokensSpent) as problem:
                    raise CommandError(f"{problem} What was made is kept: run it again.") from None
        self.stdout.write(f"{done:,} memories indexed again.")
