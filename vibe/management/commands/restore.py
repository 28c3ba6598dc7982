from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.keys.master_key import require_fitting_key
from audit.actors import Actor
from vibe.backup.services import drill, keys_beside, restore
from vibe.core.errors import VibeError
from vibe.management.progress import Bars

ACTOR = Actor.system("restore")


class Command(BaseCommand):
    help = "Put a backup back: whole, or nothing changes. With --drill, into a database that is thrown away afterwards."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="what `backup` made")
        parser.add_argument("--keys", type=Path, metavar="FILE", help="the wrapped data keys (default: FILE.keys)")
        parser.add_argument(
            "--without-keys", action="store_true", help="restore without them: nothing sealed will open"
        )
        parser.add_argument(
            "--replace", action="store_true", help="put it in the place of a database that is not empty"
        )
        parser.add_argument("--drill", action="store_true", help="only try it, and say what was found")

    def handle(self, *_: Any, **options: Any) -> None:
        path: Path = options["file"].absolute()
        keys = None if options["without_keys"] else options["keys"] or keys_beside(path)
        if keys and not keys.exists():
            raise CommandError(
                f"{keys} is not there. Give the file of data keys with --keys, or say --without-keys: "
                "then everything comes back except that nothing sealed will ever open again."
            )
        if options["drill"] or not keys:
            require_fitting_key()  # else the keys of the backup must fit, not those of the database it replaces
        try:
            self.drill(path, keys) if options["drill"] else self.restore(path, keys, options["replace"])
        except VibeError as problem:
            raise CommandError(str(problem)) from None

    def restore(self, path: Path, keys: Path | None, replace: bool) -> None:
        with Bars() as bars:
            done = restore(path=path, keys=keys, replace=replace, actor=ACTOR, told=bars)
        self.stdout.write(f"The database is that of {done.manifest.made_at}.")
        if done.erased:
            self.stdout.write(f"{done.erased} people who were erased since were erased again.")
        if done.before:
            self.stdout.write(f"What was there before is kept as '{done.before}'. Drop it when all is well.")
        self.stdout.write("Move the audit checkpoint file aside if it is newer: docs/backup.md#after-a-restore")

    def drill(self, path: Path, keys: Path | None) -> None:
        with Bars() as bars:
            found = drill(path=path, keys=keys, actor=ACTOR, told=bars)
        for each in found:
            self.stdout.write(f"{'pass' if each.passed else 'FAIL'}  {each.name}: {each.said}")
        failed = [each.name for each in found if not each.passed]
        if failed:
            raise CommandError(f"The drill failed: {', '.join(failed)}.")
        self.stdout.write("The drill passed. The copy is dropped.")
