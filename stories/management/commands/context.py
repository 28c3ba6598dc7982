from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from accounts.management.naming import WHO, named_person
from audit.actors import Actor
from stories.context.budget import TOKENS, Budget
from stories.context.services import Wanted, build_context
from vibe.core.errors import VibeError


class Command(BaseCommand):
    help = "Print what a companion is to know of a person before it answers a message, as a prompt would have it."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("message", nargs="?", default="", help="what the person says now")
        parser.add_argument("--user", required=True, help=f"who says it: {WHO}")
        parser.add_argument("--conversation", type=UUID, help="where it is said, by id: its last turns are shown")
        parser.add_argument("--tokens", type=int, default=TOKENS, help=f"so many at most (default: {TOKENS})")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            context = build_context(
                user_id=named_person(options["user"]),
                actor=Actor.system("context"),
                wanted=Wanted(
                    message=options["message"],
                    conversation_id=options["conversation"],
                    budget=Budget(options["tokens"]),
                    format="text",
                ),
            )
        except VibeError as problem:
            raise CommandError(str(problem)) from None
        for line in (context.text or "").split("\n"):
            self.stdout.write(self._coloured(printable(line)))
        self.stderr.write(f"{context.tokens:,} tokens, by estimate; {len(context.pieces)} pieces.")
        if context.degraded:
            self.stderr.write(context.degraded)

    def _coloured(self, line: str) -> str:
        """Return a line as a terminal shows it: delimiters and labels apart from what was said."""
        if line.startswith("<"):
            return self.style.MIGRATE_HEADING(line)
        label, bracket, rest = line.partition("] ")
        return f"{self.style.SUCCESS(label + bracket)}{rest}" if bracket and line.startswith("[") else line


def printable(line: str) -> str:
    """Return a line without what could steer the terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)
