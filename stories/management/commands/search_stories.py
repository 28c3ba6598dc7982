import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from accounts.management.naming import WHO, named_person
from audit.actors import Actor
from stories.search.answers import Answer, FoundPassage, FoundStory
from stories.search.filters import Filters
from stories.search.services import search_stories
from vibe.core.errors import InputError


class Command(BaseCommand):
    help = "Find a person's stories by meaning. Only that person's own are searched."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("question", help="what to look for, in plain words")
        parser.add_argument("--user", required=True, help=f"whose stories: {WHO}")
        parser.add_argument("--limit", type=int, default=5, help="stories at most (default: 5)")
        parser.add_argument("--min-score", type=float, default=0.0, help="leave out what answers with less (0 to 1)")
        parser.add_argument("--json", action="store_true", help="print JSON")
        for kind in ("person", "place", "event"):
            parser.add_argument(f"--{kind}", action="append", default=[], help="only stories with it; repeatable")
        parser.add_argument("--since", type=moment, help="only what happened at or after this day or moment (ISO 8601)")
        parser.add_argument("--until", type=moment, help="only what happened at or before it")
        parser.add_argument("--conversation", type=UUID, help="only stories of this conversation, by id")
        parser.add_argument("--archived", choices=["yes", "no"], help="only archived conversations, or only others")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            answer = search_stories(
                user_id=named_person(options["user"]),
                question=options["question"],
                limit=options["limit"],
                min_score=options["min_score"],
                filters=filters(options),
                actor=Actor.system("search_stories"),
            )
        except InputError as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(as_json(answer) if options["json"] else as_text(answer))


def moment(text: str) -> datetime:
    """A day or moment; in UTC where it names no zone."""
    given = datetime.fromisoformat(text)
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def filters(options: dict[str, Any]) -> Filters:
    """What the options narrow the search to."""
    return Filters(
        people=options["person"],
        places=options["place"],
        events=options["event"],
        since=options["since"],
        until=options["until"],
        conversation_id=options["conversation"],
        archived={"yes": True, "no": False}.get(options["archived"]),
    )


def as_json(answer: Answer) -> str:
    """The answer for programs."""
    return json.dumps(
        {
            "strategy": answer.strategy,
            **({"degraded": answer.degraded} if answer.degraded else {}),
            "stories": [
                {
                    "id": str(story.id),
                    "title": story.title,
                    "score": story.score,
                    "why": story.why,
                    "occurred_at": story.occurred_at.isoformat(),
                    "passages": [
                        {
                            "memory": str(passage.memory) if passage.memory else None,
                            "message_ids": list(passage.message_ids),
                            "score": passage.score,
                            "why": passage.why,
                            "text": passage.text,
                        }
                        for passage in story.passages
                    ],
                }
                for story in answer.stories
            ],
        },
        ensure_ascii=False,
        indent=2,
    )


def as_text(answer: Answer) -> str:
    """The answer for people."""
    if not answer.stories:
        return "No stories found. The person has nothing to search, or the filters or --min-score leave none of it."
    lines = [block(number, story) for number, story in enumerate(answer.stories, start=1)]
    return "\n\n".join([*([answer.degraded] if answer.degraded else []), *lines])


def block(number: int, story: FoundStory) -> str:
    """One story: when, what, and the passages it was found by."""
    head = f"{number}. {story.title or '(not built yet)'}  ({story.occurred_at:%d %B %Y}, score {story.score:.2f})"
    return "\n".join([head, *(f"     {author(passage)}: {passage.text}" for passage in story.passages)])


def author(passage: FoundPassage) -> str:
    """Who said it; nobody said a correction."""
    return passage.author if passage.memory else "(corrected)"
