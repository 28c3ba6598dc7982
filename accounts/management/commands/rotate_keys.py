from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.keys.services.rotation import require_masters, rewrap_column, values_to_rewrap
from audit.actors import Actor

PAUSE = 0.5  # seconds before rows that were locked or changed are retried
PATIENCE = 60  # passes in a row that rewrapped nothing
SHOWN = 20  # values that do not open, printed one by one


class Command(BaseCommand):
    help = (
        "Bring every wrapped data key, name and one-time secret under the current ENCRYPTION_KEY. The keys it replaces "
        "must be in ENCRYPTION_KEYS_RETIRED. Payloads are not touched; the server may run; an "
        "interrupted run is taken up again."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--batch", type=int, default=1000, help="values in one transaction (default: 1000)")
        parser.add_argument("--dry-run", action="store_true", help="say how many values are left, and change nothing")
        parser.add_argument("--skip-missing", action="store_true", help="go on without a master key that is gone")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["batch"] < 1:
            raise CommandError("--batch must be 1 or more.")
        if not options["skip_missing"]:
            require_masters()
        left = values_to_rewrap()
        if options["dry_run"]:
            self.stdout.write(f"{left} wrapped values are not under the current ENCRYPTION_KEY.")
            return
        broken, held = self.rotate(left, options["batch"])
        for problem in broken[:SHOWN]:
            self.stderr.write(problem)
        if broken or held:
            raise CommandError(
                f"{len(broken)} values do not open and {held} were held by others all the time. "
                "Keep the retired keys, and run this again once that is mended."
            )
        self.stdout.write("Every wrapped value is under the current ENCRYPTION_KEY. Retired keys can be removed.")

    def rotate(self, left: int, size: int) -> tuple[list[str], int]:
        """Rewrap until only broken values are left. Return their errors, and how many others stayed in use."""
        actor, patience = Actor.system("rotate_keys"), PATIENCE
        with tqdm(total=left, unit="values", disable=None) as bar:
            while True:
                done = 0
                broken: list[str] = []
                for batch in rewrap_column(actor=actor, size=size):
                    bar.update(batch.done)
                    done += batch.done
                    broken += map(str, batch.broken)
                held = max(values_to_rewrap() - len(broken), 0)
                patience = PATIENCE if done else patience - 1
                if not held or not patience:
                    return broken, held
                time.sleep(PAUSE)
