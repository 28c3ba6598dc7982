from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.actors import Actor
from vibe.backup.services import keys_beside, take
from vibe.core.errors import VibeError
from vibe.management.progress import Bars


class Command(BaseCommand):
    help = (
        "Back the database up into FILE, and the wrapped data keys into FILE.keys. The server may run. "
        "Master keys are in neither: docs/backup.md says what to keep where."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="a file that is not there yet")

    def handle(self, *_: Any, **options: Any) -> None:
        path: Path = options["file"].absolute()
        try:
            with Bars() as bars:
                manifest = take(path=path, actor=Actor.system("backup"), told=bars)
        except VibeError as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(
            f"{path}: {sum(manifest.tables.values()):,} rows of {len(manifest.tables)} tables. "
            f"The wrapped data keys are in {keys_beside(path).name}: keep it apart, and shorter. "
            f"Try both: manage.py restore --drill {path}"
        )
