from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from accounts.services import keys_to_rewrap, rewrap_batch
from audit.actors import Actor


class Command(BaseCommand):
    help = (
        "Bring every wrapped data key under the current ENCRYPTION_KEY. The keys it replaces must be in "
        "ENCRYPTION_KEYS_RETIRED. Payloads are not touched; the server may run; an interrupted run is taken up again."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--batch", type=int, default=500, help="values in one transaction (default: 500)")

    def handle(self, *_: Any, **options: Any) -> None:
        actor = Actor.system("rotate_keys")
        with tqdm(total=keys_to_rewrap(), unit="keys", disable=None) as bar:
            while (done := rewrap_batch(actor=actor, size=options["batch"])) or keys_to_rewrap():
                bar.update(done)
        self.stdout.write("Every data key is under the current ENCRYPTION_KEY. Retired keys can be removed.")
