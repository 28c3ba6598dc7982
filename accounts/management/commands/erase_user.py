from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.erasure.services import cancel_erasure, erase, request_erasure
from accounts.management.naming import WHO, named_person
from audit.actors import Actor

NOT_CONFIRMED = "Nothing was done. Type the id to go on, or give --yes."


class Command(BaseCommand):
    help = "Erase a person: their keys, rows, files and jobs. See docs/erasure.md."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("who", help=WHO)
        parser.add_argument("--now", action="store_true", help="without the grace period")
        parser.add_argument("--yes", action="store_true", help="without asking")
        parser.add_argument("--cancel", action="store_true", help="call off what has not begun")

    def handle(self, *_: Any, **options: Any) -> None:
        actor, user_id = Actor.system("erase_user"), named_person(options["who"])
        if options["cancel"]:
            cancel_erasure(user_id=user_id, actor=actor)
            self.stdout.write(f"The erasure of person {user_id} was cancelled.")
            return
        if not options["yes"] and input(f"Erase person {user_id}? Type that id to confirm: ").strip() != str(user_id):
            raise CommandError(NOT_CONFIRMED)
        erasure = request_erasure(user_id=user_id, actor=actor, at_once=options["now"])
        if not options["now"]:
            self.stdout.write(
                f"Person {user_id} is shut out, and will be erased after {erasure.due_at:%Y-%m-%d %H:%M} UTC."
            )
            return
        with tqdm(unit="steps", disable=None) as bar:
            receipt = erase(user_id=user_id, actor=actor, on_step=lambda _: bar.update())
        rows = ", ".join(f"{number} {table}" for table, number in receipt["removed"].items())
        self.stdout.write(f"Person {user_id} is erased: {rows}. The receipt is in the trail.")
