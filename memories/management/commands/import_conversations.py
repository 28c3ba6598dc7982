import sys
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.management.naming import WHO, named_person
from accounts.people.services.people import profile_of
from audit.actors import Actor
from memories.imports.lines import BadLine
from memories.imports.readers.reading import Reading, UnreadableFile
from memories.imports.services.files import JSONL, READ_BY, FileImport

SOME_LEFT_OUT = 3


class Command(BaseCommand):
    help = "Import conversations from a file of this or another program (docs/import.md has the formats)."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", help="the file, or - for standard input")
        parser.add_argument("--from", dest="form", choices=list(READ_BY), default=JSONL, help="the format of the file")
        parser.add_argument("--for", dest="who", help=f"whose the conversations are: {WHO}")
        parser.add_argument("--dry-run", action="store_true", help="say what would come in, with nothing written")
        parser.add_argument("--strict", action="store_true", help="stop at the first bad line, with nothing written")
        parser.add_argument("--me", default="", help="telegram, whatsapp: the person's own name in the chats")
        parser.add_argument("--time-zone", help="telegram, whatsapp: of times without one, such as Europe/Lisbon")
        parser.add_argument("--dates", choices=["day-first", "month-first", "year-first"], help="whatsapp: their order")
        parser.add_argument("--conversation", help="whatsapp: the id of the conversation; by default its first time")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["form"] != JSONL and not options["who"]:
            raise CommandError(f"This format does not say whose the conversations are. Name them: --for {WHO}.")
        if options["file"] == "-":
            work = self.load(sys.stdin.buffer, None, options)
        else:
            work = self.load_file(Path(options["file"]), options)
        self.report(work)
        if work.counts.refused:
            raise CommandError(
                f"{work.counts.refused:,} lines were left out, each named above.", returncode=SOME_LEFT_OUT
            )

    def report(self, work: FileImport) -> None:
        """Say what came in, and what did not."""
        done = work.counts
        if work.dry_run:
            self.stdout.write("Nothing was written (--dry-run). This would come in:")
        self.stdout.write(
            f"{done.conversations:,} conversations and {done.memories:,} memories added; "
            f"{done.unchanged:,} memories were there already."
        )
        if done.differing:
            self.stdout.write(f"{done.differing:,} memories are here with other content; they were kept as they are.")
        if done.skipped:
            self.stdout.write(f"{done.skipped:,} messages were skipped: nothing is in them, or they have expired.")
        if passed_over := +work.reading.passed_over:
            said = ", ".join(f"{count:,} {kind}" for kind, count in passed_over.most_common())
            self.stdout.write(f"Passed over: {said}.")
        if done.restored or done.passed_over:
            self.stdout.write(
                f"Of an export: {done.restored:,} lines of preferences and corrections brought back, "
                f"{done.passed_over:,} lines passed over (docs/import.md says which, and why)."
            )

    def load_file(self, path: Path, options: dict[str, Any]) -> FileImport:
        try:
            with path.open("rb") as source:
                return self.load(source, path.stat().st_size, options)
        except OSError as problem:
            raise CommandError(f"{path}: {problem.strerror}.") from None

    def load(self, source: IO[bytes], size: int | None, options: dict[str, Any]) -> FileImport:
        with tqdm(total=size, unit="B", unit_scale=True, disable=None) as bar:
            work = FileImport(
                actor=Actor.system("import_conversations"),
                form=options["form"],
                reading=reading_of(options),
                strict=options["strict"],
                dry_run=options["dry_run"],
                on_progress=bar.update,
                on_refused=lambda problem: self.name_line(problem, bar),
            )
            try:
                work.run(source)
            except (BadLine, UnreadableFile) as problem:
                why = " (--strict)" if options["strict"] and isinstance(problem, BadLine) else ""
                raise CommandError(f"{str(problem).rstrip('.')}. Nothing was written{why}.") from None
        return work

    def name_line(self, problem: BadLine, bar: Any) -> None:
        """Print a bad line above the progress bar, and redraw the bar."""
        bar.clear()
        self.stderr.write(str(problem))
        bar.refresh()


def reading_of(options: dict[str, Any]) -> Reading:
    """Return how to read the file. Raises CommandError."""
    zone = options["time_zone"]
    try:
        zone = ZoneInfo(zone) if zone else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CommandError("--time-zone is no time zone. Give a name such as Europe/Lisbon.") from None
    return Reading(
        owner=profile_of(named_person(options["who"])) if options["who"] else None,
        me=options["me"],
        zone=zone,
        dates=options["dates"],
        conversation=options["conversation"],
    )
