from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.management.naming import WHO, named_person
from accounts.models import User
from audit.actors import Actor
from stories.building.services.lineage import check_lineage
from vibe.core.db.scopes import as_system


class Command(BaseCommand):
    help = "Prove that nothing made of a deleted or changed memory is left. Exit code 1 if something is."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--user", help=f"only this person's: {WHO}")

    def handle(self, *_: Any, **options: Any) -> None:
        actor = Actor.system("check_lineage")
        stories = waiting = faults = 0
        for user_id in tqdm(people(options["user"]), unit="people", disable=None):
            report = check_lineage(user_id=user_id, actor=actor)
            stories, waiting = stories + report.stories, waiting + len(report.waiting)
            for fault in report.faults:
                self.stderr.write(f"{user_id}: {fault.what}: {fault.row}")
            faults += len(report.faults)
        self.stdout.write(f"{stories:,} stories checked; {waiting:,} wait to be told anew.")
        if faults:
            raise CommandError(f"{faults:,} faults, each named above. `manage.py tell_stories` builds stories anew.")


def people(who: str | None) -> list[Any]:
    """One person, or everybody."""
    if who:
        return [named_person(who)]
    with as_system():
        return list(User.objects.filter(is_staff=False).order_by("pk").values_list("pk", flat=True))
