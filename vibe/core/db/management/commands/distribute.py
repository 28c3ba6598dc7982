from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.scale.distribution.applying import apply
from vibe.core.db.scale.distribution.placing import obstacles
from vibe.core.db.scale.distribution.plan import Step, steps


class Command(BaseCommand):
    help = (
        "Bring this database, with what it holds, onto the shards of a Citus cluster by user_id: see docs/scaling.md."
    )

    def add_arguments(self, parser: Any) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--plan", action="store_true", help="say every statement and what does not fit; the default")
        what.add_argument(
            "--apply", action="store_true", help="do what is not done yet; runs again after an interruption"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        if options["apply"]:
            try:
                done = apply(on_step=self.show)
            except DatabaseNotReady as problem:
                raise CommandError(str(problem)) from None
            self.stdout.write(f"{done} steps done. Start the processes again: they know by their connections.")
        else:
            self.plan()

    def plan(self) -> None:
        with connection.cursor() as cursor:
            for step in list(steps(cursor)):
                self.show(step, step.done(cursor))
            found = list(obstacles(cursor))
        for each in found:
            self.stdout.write(self.style.WARNING(f"-- does not fit: {each}"))
        self.stdout.write(f"-- {len(found)} obstacles" if found else "-- nothing stands in the way: distribute --apply")

    def show(self, step: Step, done: bool) -> None:
        """A step as SQL that could be typed."""
        self.stdout.write(f"-- {step.what}{' (done)' if done else ''}")
        if not done:
            self.stdout.write("".join(f"{statement};\n" for statement in ("BEGIN", *step.statements, "COMMIT")))
