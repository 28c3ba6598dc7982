"""A whole file of conversations: streamed, in batches, the bad lines named and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import IO
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.services import ensure_person
from audit.actors import Actor
from memories.lines import BadLine, ConversationLine, parse, read_lines
from memories.services import Counts, import_conversations
from vibe.errors import InputError

BATCH_MESSAGES = 1000


class FileImport:
    """Imports one stream. `on_progress` is told the bytes of each batch that is done, `on_refused` each bad line."""

    def __init__(
        self,
        *,
        actor: Actor,
        strict: bool = False,
        on_progress: Callable[[int], object] = lambda _: None,
        on_refused: Callable[[BadLine], object] = lambda _: None,
    ) -> None:
        self.actor = actor
        self.strict = strict
        self.counts = Counts()
        self._on_progress = on_progress
        self._on_refused = on_refused
        self._people: dict[str, UUID] = {}

    def run(self, source: IO[bytes]) -> Counts:
        """Everything that can be taken. With `strict` the first bad line raises, and nothing of the file stays."""
        if self.strict:
            with transaction.atomic():
                self._run(source)
        else:
            self._run(source)
        return self.counts

    def _run(self, source: IO[bytes]) -> None:
        for batch, size in self._batches(source):
            for _, lines in groupby(batch, key=lambda line: line.profile.firebase_uid):
                self._take(list(lines))
            self._on_progress(size)

    def _batches(self, source: IO[bytes]) -> Iterator[tuple[list[ConversationLine], int]]:
        batch: list[ConversationLine] = []
        messages = size = 0
        for number, line in read_lines(source, settings.IMPORT_LINE_LIMIT):
            try:
                if isinstance(line, BadLine):
                    raise line
                size += len(line)
                batch.append(parse(number, line))
                messages += len(batch[-1].messages)
            except BadLine as problem:
                self._refuse(problem)
            if messages >= BATCH_MESSAGES:
                yield batch, size
                batch, messages, size = [], 0, 0
        yield batch, size

    def _take(self, lines: list[ConversationLine]) -> None:
        """One person's lines together; if that fails, one by one, so that a bad one stays out alone."""
        try:
            self._add(self._import(lines))
        except InputError as problem:
            if len(lines) == 1:
                self._refuse(problem if isinstance(problem, BadLine) else BadLine(lines[0].number, str(problem)))
                return
            for line in lines:
                self._take([line])

    def _import(self, lines: list[ConversationLine]) -> Counts:
        return import_conversations(user_id=self._person(lines[0]), lines=lines, actor=self.actor)

    def _person(self, line: ConversationLine) -> UUID:
        uid = line.profile.firebase_uid
        if uid not in self._people:
            self._people[uid] = ensure_person(profile=line.profile, actor=self.actor)
        return self._people[uid]

    def _add(self, done: Counts) -> None:
        self.counts.conversations += done.conversations
        self.counts.memories += done.memories
        self.counts.unchanged += done.unchanged

    def _refuse(self, problem: BadLine) -> None:
        if self.strict:
            raise problem
        self.counts.refused += 1
        self._on_refused(problem)
