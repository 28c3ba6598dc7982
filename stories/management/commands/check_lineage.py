from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.management.naming import WHO, named_people
from audit.actors import Actor
from stories.building.services.lineage import check_lineage


class Command(BaseCommand):
    help = "Prove that nothing made of a deleted or changed memory is left. Exit code 1 if something is."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--user", help=f"only this person's: {WHO}")

    def handle(self, *_: Any, **options: Any) -> None:
        actor = Actor.system("check_lineage")
        stories = waiting = faults = 0
        for user_id in tqdm(named_people(options["user"]), unit="people", disable=None):
            report = check_lineage(user_id=user_id, actor=actor)
            stories, waiting = stories + report.stories, waiting + len(report.waiting)
            for fault in report.faults:
                self.stderr.write(f"{user_id}: {fault.what}: {fault.row}")
            faults += len(report.faults)
        self.stdout.write(f"{stories:,} stories checked; {waiting:,} wait to be built.")
        if faults:
            raise CommandError(f"{faults:,} faults, each named above. `manage.py reindex` makes all of it again.")
