import sys
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from audit.actors import Actor
from memories.importing import FileImport
from vibe.errors import InputError


class Command(BaseCommand):
    help = "Import conversations from a JSON Lines file, one conversation a line (docs/import.md has the format)."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", help="the file, or - for standard input")
        parser.add_argument("--strict", action="store_true", help="stop at the first bad line, with nothing written")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["file"] == "-":
            self.load(sys.stdin.buffer, None, options["strict"])
            return
        path = Path(options["file"])
        try:
            with path.open("rb") as source:
                self.load(source, path.stat().st_size, options["strict"])
        except (FileNotFoundError, IsADirectoryError, PermissionError) as problem:
            raise CommandError(f"{path}: {problem.strerror}.") from None

    def load(self, source: IO[bytes], size: int | None, strict: bool) -> None:
        with tqdm(total=size, unit="B", unit_scale=True, disable=None) as bar:
            work = FileImport(
                actor=Actor.system("import_conversations"),
                strict=strict,
                on_progress=bar.update,
                on_refused=lambda problem: bar.write(str(problem), file=sys.stderr),
            )
            try:
                done = work.run(source)
            except InputError as problem:
                raise CommandError(f"{problem}. Nothing was written (--strict).") from None
        self.stdout.write(
            f"{done.conversations:,} conversations and {done.memories:,} memories added; "
            f"{done.unchanged:,} memories were there already."
        )
        if done.refused:
            raise CommandError(f"{done.refused:,} lines were left out, each named above.")
