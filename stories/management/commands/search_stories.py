import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.services import find_person
from audit.actors import Actor
from stories.answers import Answer, FoundStory
from stories.search import search_stories
from vibe.errors import InputError, NotFound


class Command(BaseCommand):
    help = "Find a person's stories by meaning. Only that person's own are searched."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("question", help="what to look for, in plain words")
        parser.add_argument("--user", required=True, help="whose stories: a Firebase UID, an email address or an id")
        parser.add_argument("--limit", type=int, default=5, help="stories at most (default: 5)")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            answer = search_stories(
                user_id=find_person(options["user"]),
                question=options["question"],
                limit=options["limit"],
                actor=Actor.system("search_stories"),
            )
        except (InputError, NotFound) as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(as_json(answer) if options["json"] else as_text(answer))


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
                            "memory": str(passage.memory),
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
        return "No stories yet. They are told by the worker: run `make run`, or `manage.py tell_stories`."
    lines = [block(number, story) for number, story in enumerate(answer.stories, start=1)]
    return "\n\n".join([*([answer.degraded] if answer.degraded else []), *lines])


def block(number: int, story: FoundStory) -> str:
    """One story: when, what, and the passages it was found by."""
    head = f"{number}. {story.title}  ({story.occurred_at:%d %B %Y}, score {story.score:.2f})"
    return "\n".join([head, *(f"     {passage.author}: {passage.text}" for passage in story.passages)])
