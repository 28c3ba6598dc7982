import sys
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from audit.actors import Actor
from memories.imports.lines import BadLine
from memories.imports.services.conversations import Counts
from memories.imports.services.files import FileImport

SOME_LEFT_OUT = 3


class Command(BaseCommand):
    help = "Import conversations from a JSON Lines file, one conversation a line (docs/import.md has the format)."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", help="the file, or - for standard input")
        parser.add_argument("--strict", action="store_true", help="stop at the first bad line, with nothing written")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["file"] == "-":
            done = self.load(sys.stdin.buffer, None, options["strict"])
        else:
            done = self.load_file(Path(options["file"]), options["strict"])
        self.stdout.write(
            f"{done.conversations:,} conversations and {done.memories:,} memories added; "
            f"{done.unchanged:,} memories were there already."
        )
        if done.skipped:
            self.stdout.write(f"{done.skipped:,} messages were skipped: nothing is in them, or they have expired.")
        if done.restored or done.passed_over:
            self.stdout.write(
                f"Of an export: {done.restored:,} lines of preferences and corrections brought back, "
                f"{done.passed_over:,} lines passed over (docs/import.md says which, and why)."
            )
        if done.refused:
            raise CommandError(f"{done.refused:,} lines were left out, each named above.", returncode=SOME_LEFT_OUT)

    def load_file(self, path: Path, strict: bool) -> Counts:
        try:
            with path.open("rb") as source:
                return self.load(source, path.stat().st_size, strict)
        except OSError as problem:
            raise CommandError(f"{path}: {problem.strerror}.") from None

    def load(self, source: IO[bytes], size: int | None, strict: bool) -> Counts:
        with tqdm(total=size, unit="B", unit_scale=True, disable=None) as bar:
            work = FileImport(
                actor=Actor.system("import_conversations"),
                strict=strict,
                on_progress=bar.update,
                on_refused=lambda problem: self.name_line(problem, bar),
            )
            try:
                return work.run(source)
            except BadLine as problem:
                raise CommandError(f"{str(problem).rstrip('.')}. Nothing was written (--strict).") from None

    def name_line(self, problem: BadLine, bar: Any) -> None:
        """Print a bad line above the progress bar, and redraw the bar."""
        bar.clear()
        self.stderr.write(str(problem))
        bar.refresh()
