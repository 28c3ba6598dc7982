import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from accounts.erasure.proof import receipt_of, verify, verify_all


class Command(BaseCommand):
    help = "Prove the receipts of erasures: signed, in the trail, and nothing of the person left. See docs/erasure.md."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("person", nargs="?", type=UUID, help="the id of one person; without it all are proved")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["person"]:
            receipt = receipt_of(options["person"])
            verify(receipt)
            self.stdout.write(json.dumps(receipt, indent=2))
        else:
            self.stdout.write(f"{verify_all()} receipts hold.")
