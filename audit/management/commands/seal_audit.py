import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.sealing.services import Sealed, seal


class Command(BaseCommand):
    help = "Seal the rows of the audit trail that are not sealed yet: a signed checkpoint, in the database and outside."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--every", type=float, metavar="SECONDS", help="go on, sealing at this interval")

    def handle(self, *_: Any, **options: Any) -> None:
        self.report(seal(sweep=True))
        while options["every"]:
            time.sleep(options["every"])
            self.report(seal())

    def report(self, done: Sealed) -> None:
        if done.busy:
            self.stderr.write("Another sealer is at work; this one did nothing.")
        elif done.rows or done.written:
            self.stdout.write(
                f"{done.rows:,} rows sealed under {done.checkpoints:,} checkpoints; {done.written:,} written outside."
            )
        if done.forged:
            raise CommandError(
                f"{len(done.forged):,} rows were not written by Vibe and are not sealed, the first {done.forged[0]}. "
                "If AUDIT_SIGNING_KEY was replaced since, add the earlier one to AUDIT_SIGNING_KEYS_RETIRED."
            )
