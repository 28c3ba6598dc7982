from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.management.naming import WHO, named_person
from audit.actors import Actor
from stories.building.services.reembedding import Pace, StillComing, behind, reembed_person
from stories.processors.configured import EmbedderFailed, embedder
from stories.processors.errors import ProcessorFailed
from stories.processors.openai_compatible.errors import TokensSpent
from vibe.core.crypto.errors import SealError


class Command(BaseCommand):
    help = "Bring every person's vectors under the model that is configured, while search goes on. Can be stopped."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--user", help=f"only this person's: {WHO}")
        parser.add_argument("--batch", type=int, default=64, help="texts in one call of the embedder (default: 64)")
        parser.add_argument("--rate", type=float, default=0.0, help="texts a second at most (default: no bound)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["batch"] < 1 or options["rate"] < 0:
            raise CommandError("--batch must be 1 or more, --rate 0 (no bound) or more.")
        actor, pace = Actor.system("reembed_stories"), Pace(options["batch"], options["rate"])
        work = wanted(options["user"])
        done, left = 0, list[UUID]()
        with tqdm(total=sum(passages for _, passages in work), unit="passages", disable=None) as bar:
            for user_id, _ in work:
                try:
                    done += reembed_person(user_id=user_id, actor=actor, pace=pace, on_progress=bar.update)
                except (TokensSpent, StillComing, SealError, ProcessorFailed) as problem:
                    left.append(user_id)
                    self.stderr.write(str(problem))
                except EmbedderFailed as problem:
                    raise CommandError(f"{problem} What was made is kept: run it again.") from None
        self.stdout.write(f"{done:,} people's vectors are of {embedder().name} now.")
        if left:
            raise CommandError(f"{len(left):,} people are left, named above. Run it again.")


def wanted(who: str | None) -> list[tuple[UUID, int]]:
    """Who is to be done, and how many passages each has."""
    only = named_person(who) if who else None
    return [(user_id, passages) for user_id, passages in behind() if only in (None, user_id)]
