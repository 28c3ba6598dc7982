"""Import of a file of conversations, streamed in batches. Bad lines are reported and skipped."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final
from uuid import UUID

from django.db import connection, transaction

from accounts.export.import_readers import READERS
from accounts.people.services.people import Profile, ensure_person, is_known
from audit.actors import Actor
from audit.services import OK, REFUSED, record
from memories.imports.lines import (
    EXPORT_BEGINS,
    EXPORT_PROFILE,
    ArchiveLine,
    BadLine,
    ConversationLine,
)
from memories.imports.readers.chatgpt import read_chatgpt
from memories.imports.readers.claude import read_claude
from memories.imports.readers.jsonl import read_jsonl, require_owner
from memories.imports.readers.reading import Reader, Reading, UnreadableFile, check_signature
from memories.imports.readers.telegram import read_telegram
from memories.imports.readers.whatsapp import read_whatsapp
from memories.imports.services.conversations import Counts, import_conversations
from vibe.core.crypto.errors import DataKeyMissing
from vibe.core.db.statements.batching import distributed
from vibe.core.errors import InputError

BATCH_MESSAGES = 2000
BATCH_BYTES = 4_000_000
PEOPLE_KEPT = 100_000

# An advisory lock. A strict import locks every person of its file until its end, so two of them could deadlock.
STRICT_LOCK = 0x76696D70

BUFFER_BYTES: Final = 65_536
JSONL: Final = "jsonl"
READ_BY: Final[dict[str, Reader]] = {
    JSONL: read_jsonl,
    "chatgpt": read_chatgpt,
    "claude": read_claude,
    "telegram": read_telegram,
    "whatsapp": read_whatsapp,
}
"""The readers by the format of the file."""

Batch = list[ConversationLine]


@dataclass(frozen=True, slots=True)
class Owned:
    """A line of an export and its owner."""

    profile: Profile = field(repr=False)
    line: ArchiveLine


class FileImport:
    """The import of one stream. `on_progress` gets the bytes of each finished batch, `on_refused` each bad line.

    `dry_run` does everything and takes it back, so that the counts are those of the import.
    """

    def __init__(
        self,
        *,
        actor: Actor,
        form: str = JSONL,
        reading: Reading | None = None,
        strict: bool = False,
        dry_run: bool = False,
        on_progress: Callable[[int], object] = lambda _: None,
        on_refused: Callable[[BadLine], object] = lambda _: None,
    ) -> None:
        self.actor = actor
        self.form = form
        self.reading = reading or Reading()
        self.strict = strict
        self.dry_run = dry_run
        self.counts = Counts()
        self._on_progress = on_progress
        self._on_refused = on_refused
        self._people: dict[str, UUID] = {}
        self._owner = self.reading.owner  # of the archive being read

    def run(self, source: IO[bytes]) -> Counts:
        """Import every valid line. With `strict` the first bad line raises BadLine, and nothing is imported.

        Raises UnreadableFile for a file of another format, NamesAnother for one that is not the owner's alone; nothing
        of either is imported. On return the import is on disk: see `_take`.
        """
        try:
            self._check(source)
            if self.strict or self.dry_run:
                self._run_whole(source)
            else:
                self._run(source)
        except (BadLine, UnreadableFile) as problem:
            self._record(REFUSED, str(problem))
            raise
        self._record(REFUSED if self.counts.refused else OK, f"{self.counts.refused} lines left out")
        return self.counts

    def _check(self, source: IO[bytes]) -> None:
        """Raise what forbids to take anything of a file, before anything is taken."""
        if self.form != JSONL:
            self.reading.profile  # noqa: B018
        elif self.reading.owner:
            if not source.seekable():
                raise UnreadableFile("Whose the lines are is checked first, for which it has to be a file.")
            require_owner(opened(Counted(source)), self.reading)
            source.seek(0)

    def _run_whole(self, source: IO[bytes]) -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [STRICT_LOCK])
            self._run(source)
            transaction.set_rollback(self.dry_run)

    def _run(self, source: IO[bytes]) -> None:
        counted = Counted(source)
        done = 0
        for batch in self._batches(counted):
            for lines in by_person(batch):
                self._take([line for line in lines if isinstance(line, ConversationLine)])
                for line in lines:
                    if isinstance(line, Owned):
                        self._restore(line)
            self._on_progress(counted.bytes - done)
            done = counted.bytes

    def _batches(self, source: Counted) -> Iterator[list[ConversationLine | Owned]]:
        batch: list[ConversationLine | Owned] = []
        messages = start = 0
        for line in READ_BY[self.form](opened(source), self.reading):
            try:
                if isinstance(line, BadLine):
                    raise line
                read = self._owned(line)
                if read:
                    batch.append(read)
                    messages += len(read.messages) or 1 if isinstance(read, ConversationLine) else 1
            except BadLine as problem:
                self._refuse(problem)
            if messages >= BATCH_MESSAGES or source.bytes - start >= BATCH_BYTES:
                yield batch
                batch, messages, start = [], 0, source.bytes
        yield batch

    def _owned(self, line: ConversationLine | ArchiveLine) -> ConversationLine | Owned | None:
        """Return the line to import; None for a line of an export that restores nothing. Raises BadLine."""
        if isinstance(line, ConversationLine):
            return line
        if line.kind in READERS:
            if self._owner is None:
                raise BadLine(line.number, "comes before the vibe.profile of its person")
            return Owned(self._owner, line)
        if line.kind in (EXPORT_BEGINS, EXPORT_PROFILE):
            self._owner = line.profile or self.reading.owner
        else:
            self.counts.passed_over += 1
        return None

    def _restore(self, owned: Owned) -> None:
        """Restore one line of an export, with the reader of its type."""
        line = owned.line
        try:
            with transaction.atomic():
                if not self.strict:
                    without_waiting()
                user_id = self._person(owned.profile)
                changed = READERS[line.kind](user_id, line.values, actor=self.actor)
        except (InputError, DataKeyMissing) as problem:
            self._refuse(BadLine(line.number, str(problem)))
        else:
            self._remember(owned.profile.firebase_uid, user_id)
            self.counts.restored += changed
            self.counts.passed_over += not changed

    def _take(self, lines: Batch) -> None:
        """Import one person's lines together; if that fails, one by one, so that only the bad ones are skipped.

        These commits do not wait for the disk. That of the file's audit row does, which flushes all before it.
        """
        if not lines:
            return
        try:
            if distributed():
                self._make_first(lines[0])
            with transaction.atomic():
                if not self.strict:
                    without_waiting()
                user_id, done = self._import(lines)
        except (InputError, DataKeyMissing) as problem:
            if len(lines) > 1:
                for line in lines:
                    self._take([line])
            else:
                self._refuse(problem if isinstance(problem, BadLine) else lines[0].bad(str(problem)))
        else:
            self._remember(lines[0].profile.firebase_uid, user_id)
            self._add(done)

    def _make_first(self, line: ConversationLine) -> None:
        """Create a new person before the import: on shards, a role does not see uncommitted writes of another role."""
        uid = line.profile.firebase_uid
        if self.strict and not is_known(uid):
            raise BadLine(line.number, "A new person cannot come in by a strict import of a distributed database.")
        if uid not in self._people:
            self._remember(uid, ensure_person(profile=line.profile, actor=self.actor))

    def _import(self, lines: Batch) -> tuple[UUID, Counts]:
        """Import the lines, creating the person if needed; return the person's id and the counts."""
        user_id = self._person(lines[0].profile)
        return user_id, import_conversations(user_id=user_id, lines=lines, actor=self.actor)

    def _person(self, profile: Profile) -> UUID:
        """Return the id of the person, created if needed."""
        return self._people.get(profile.firebase_uid) or ensure_person(profile=profile, actor=self.actor)

    def _remember(self, uid: str, user_id: UUID) -> None:
        if len(self._people) >= PEOPLE_KEPT:
            self._people.clear()
        self._people[uid] = user_id

    def _add(self, done: Counts) -> None:
        self.counts.conversations += done.conversations
        self.counts.memories += done.memories
        self.counts.unchanged += done.unchanged
        self.counts.skipped += done.skipped
        self.counts.differing += done.differing

    def _refuse(self, problem: BadLine) -> None:
        if self.strict:
            raise problem
        self.counts.refused += 1
        self._on_refused(problem)

    def _record(self, outcome: str, reason: str) -> None:
        counts = self.counts
        record(
            actor=self.actor,
            action="conversations.import_file",
            outcome=outcome,
            reason=reason if outcome == REFUSED else "",
            details={
                "conversations": counts.conversations,
                "memories": counts.memories,
                "unchanged": counts.unchanged,
                "skipped": counts.skipped + counts.differing,
                "lines_left_out": counts.refused,
                "restored": counts.restored,
                "passed_over": counts.passed_over + self.reading.passed_over.total(),
                **({"form": self.form} if self.form != JSONL else {}),
                **({"dry_run": True} if self.dry_run else {}),
            },
        )


def without_waiting() -> None:
    """Let this transaction's commit return before it is on disk."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")


class Counted(io.RawIOBase):
    """A stream that counts the bytes read from it."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        self.bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read = self.source.read(len(buffer))
        buffer[: len(read)] = read
        self.bytes += len(read)
        return len(read)


def opened(source: Counted) -> io.BufferedReader:
    """Return a stream for the readers, at its first character. Raises UnreadableFile for a file of another kind."""
    buffered: io.BufferedReader = io.BufferedReader(source, BUFFER_BYTES)
    check_signature(buffered)
    return buffered


def by_person(batch: list[ConversationLine | Owned]) -> list[list[ConversationLine | Owned]]:
    """Group the lines of a batch by person, each group in the order of the file."""
    people: dict[str, list[ConversationLine | Owned]] = {}
    for line in batch:
        people.setdefault(line.profile.firebase_uid, []).append(line)
    return list(people.values())
