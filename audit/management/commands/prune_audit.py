from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.actors import Actor
from audit.errors import AuditError
from audit.retention.partitions import this_month
from audit.retention.services import Month, months, prune

ACTOR = Actor.system("prune_audit")


class Command(BaseCommand):
    help = "Drop the months of the audit trail that are sealed and past their retention. The chain stays provable."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--month", metavar="YYYY-MM", help="this month only; say why if it is kept")

    def handle(self, *_: Any, **options: Any) -> None:
        there = months()
        due = self.named(options["month"], there) if options["month"] else [m for m in there if m.due <= this_month()]
        for month in due:
            try:
                rows = prune(month, actor=ACTOR)
            except AuditError as problem:
                raise CommandError(str(problem)) from None
            self.stdout.write(f"{month}: {rows:,} rows dropped; their seals stay.")
        if not due:
            oldest = there[0] if there else None
            following = f"{oldest} is the next, on {oldest.due}." if oldest else "There is no month."
            self.stdout.write(f"Nothing to prune. {following}")

    def named(self, text: str, there: list[Month]) -> list[Month]:
        found = [month for month in there if str(month) == text]
        if not found:
            raise CommandError(f"The trail has no month of this name. It has: {', '.join(map(str, there))}.")
        return found
