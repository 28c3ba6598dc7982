from typing import Any

from django.core.management.base import BaseCommand

from accounts.erasure.services import erase_again
from audit.actors import Actor


class Command(BaseCommand):
    help = "Erase whom a restored backup brought back: everybody who was erased before. See docs/erasure.md."

    def handle(self, *_: Any, **__: Any) -> None:
        again = erase_again(actor=Actor.system("erase_again"))
        self.stdout.write(f"{len(again)} people were erased again." if again else "Nobody had come back.")
