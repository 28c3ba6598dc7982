import os
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import IO, Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from audit.actors import Actor
from audit.reading.services import WRITERS, Selection, export


def moment(text: str) -> datetime:
    """Parse a date or time in ISO 8601; without a zone it is UTC."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def new_file(path: str) -> IO[str]:
    """Create a file that only its owner can read. Raises OSError if it exists or cannot be created."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "w", newline="", encoding="utf-8")


class Command(BaseCommand):
    help = "Write rows of the audit trail as CSV or JSON, the oldest first. The export itself is recorded."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--format", choices=sorted(WRITERS), required=True)
        parser.add_argument("--output", metavar="FILE", help="a new file (default: standard output)")
        parser.add_argument("--subject", type=UUID, metavar="ID", help="only what was done with this person's data")
        parser.add_argument("--actor", default="", metavar="ID", help="only what this person or command did")
        parser.add_argument("--since", type=moment, metavar="TIME", help="from this time on, such as 2026-11-22T09:30Z")
        parser.add_argument("--until", type=moment, metavar="TIME", help="until before this time")

    def handle(self, *_: Any, **options: Any) -> None:
        selection = Selection(**{name: options[name] for name in ("subject", "actor", "since", "until")})
        try:
            target = new_file(options["output"]) if options["output"] else None
        except OSError as problem:
            raise CommandError(f"{options['output']}: {problem.strerror}.") from None
        self.stdout.ending = ""
        output: Any = target or nullcontext(self.stdout)
        with output as stream, tqdm(unit="rows", disable=None) as bar:
            count = export(
                stream,
                format=options["format"],
                selection=selection,
                actor=Actor.system("export_audit"),
                progress=bar.update,
            )
        self.stderr.write(f"{count:,} rows exported.")
