"""How much of a person is stored: memories and bytes, counted with each change, and limited a day and in all.

Bytes are those of sealed payloads and of the sealed texts of conversations, as stored, and ROW_BYTES for each
conversation. A day is one of UTC, and counts what is written on it: what is deleted is given back in all, not to the
day.

The counts of a person are in a few rows. A change takes any of them that nobody holds (SKIP LOCKED), and makes one
more where all are held. So no change waits for another, there are never more rows than changes that ran at once, and
to sum them costs the same however much is stored. In return a limit may be passed by what is being added at the same
moment. One row, the base, holds what was stored before anything was counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import randrange
from typing import Final, NoReturn, Self
from uuid import UUID, uuid5

from django.conf import settings
from django.dispatch import Signal

from vibe.core.crypto.vault import stored_size
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.statements.batching import Rows, Statement, current_connection, distributed, execute_batch
from vibe.core.errors import ConfigurationError, InputError
from vibe.core.from_settings import from_settings

MIB: Final = 1024 * 1024
ROW_BYTES: Final = 256
"""What a conversation counts for beside its texts, so that empty ones are limited too."""
MEMORIES_OF: Final = (
    "SELECT count(*), coalesce(sum(octet_length(payload)), 0)::bigint FROM encrypted_memories WHERE user_id = %s"
)
CONVERSATIONS_OF: Final = (
    f"SELECT 0::bigint, coalesce(sum({ROW_BYTES} + coalesce(octet_length(title), 0) + "  # noqa: S608
    "coalesce(octet_length(description), 0) + coalesce(octet_length(companion), 0)), 0)::bigint "
    "FROM conversations WHERE user_id = %s"
)
COUNT: Final = """
WITH given (memories, bytes) AS ({given}), free AS (
    SELECT id FROM storage_counts WHERE user_id = %s LIMIT 1 FOR UPDATE SKIP LOCKED
), counted AS (
    UPDATE storage_counts kept SET memories = kept.memories + given.memories, bytes = kept.bytes + given.bytes,
        day_memories = CASE WHEN kept.day = %s THEN kept.day_memories ELSE 0 END + %s,
        day_bytes = CASE WHEN kept.day = %s THEN kept.day_bytes ELSE 0 END + %s, day = %s
    FROM free, given WHERE kept.user_id = %s AND kept.id = free.id RETURNING 1
)
INSERT INTO storage_counts (id, user_id, is_base, memories, bytes, day, day_memories, day_bytes)
SELECT %s, %s, false, given.memories, given.bytes, %s, %s, %s FROM given WHERE NOT EXISTS (SELECT FROM counted)
"""
# On shards of a cluster no INSERT may take its rows from a query. There a person has some rows whose ids are known, and
# whoever finds theirs held waits for it.
COUNT_ON_SHARDS: Final = """
INSERT INTO storage_counts AS kept (id, user_id, is_base, memories, bytes, day, day_memories, day_bytes)
VALUES (%s, %s, false, %s, %s, %s, %s, %s)
ON CONFLICT (user_id, id) DO UPDATE SET memories = kept.memories + excluded.memories,
    bytes = kept.bytes + excluded.bytes, day = excluded.day,
    day_memories = CASE WHEN kept.day = excluded.day THEN kept.day_memories ELSE 0 END + excluded.day_memories,
    day_bytes = CASE WHEN kept.day = excluded.day THEN kept.day_bytes ELSE 0 END + excluded.day_bytes
"""
ROWS_ON_SHARDS: Final = 8
TOTALS: Final = (
    "SELECT coalesce(bool_or(is_base), false), coalesce(sum(memories), 0)::bigint, coalesce(sum(bytes), 0)::bigint, "
    "coalesce(sum(day_memories) FILTER (WHERE day = %s), 0)::bigint, "
    "coalesce(sum(day_bytes) FILTER (WHERE day = %s), 0)::bigint FROM storage_counts WHERE user_id = %s"
)
# What is stored, less what is counted already. One statement sees of each other transaction either both or neither.
UNCOUNTED: Final = (
    "SELECT stored.memories - counted.memories + %s, stored.bytes - counted.bytes + %s "  # noqa: S608
    "FROM (SELECT sum(count)::bigint, sum(bytes)::bigint FROM "
    f"({MEMORIES_OF} UNION ALL {CONVERSATIONS_OF}) AS each (count, bytes)) AS stored (memories, bytes), "
    "(SELECT coalesce(sum(memories), 0)::bigint, coalesce(sum(bytes), 0)::bigint FROM storage_counts "
    "WHERE user_id = %s) AS counted (memories, bytes)"
)
BASE: Final = """
INSERT INTO storage_counts (id, user_id, is_base, memories, bytes, day, day_memories, day_bytes)
{given} ON CONFLICT (user_id) WHERE is_base DO NOTHING
"""

storage_refused = Signal()
"""A limit refused something. `limit` is its name, such as `memories_a_day`."""


class StorageFull(InputError):
    message = "No more can be stored."
    code = "storage-full"
    status = 413


class StorageDayFull(InputError):
    message = "No more can be stored today."
    code = "storage-day-full"
    status = 429

    @property
    def headers(self) -> dict[str, str]:
        """Return the seconds until the next day of UTC."""
        now = datetime.now(UTC)
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
        return {"Retry-After": str(int((midnight - now).total_seconds()) + 1)}


@dataclass(frozen=True, slots=True)
class StorageLimit:
    """How much a person may store a day and in all; None is no limit."""

    setting: str
    kind: str
    unit: int
    a_day: int | None
    in_all: int | None

    @classmethod
    def parse(cls, setting: str, kind: str, unit: int = 1) -> Self:
        """Read `1000/50000`, either part of which may be `off`, or `off` for both. Raises ConfigurationError."""
        day, slash, in_all = getattr(settings, setting).strip().lower().partition("/")
        given = [each.strip() for each in ((day, in_all) if slash else (day, day))]
        if not all(each == "off" or (each.isdecimal() and int(each)) for each in given) or (not slash and day != "off"):
            raise ConfigurationError(
                f"{setting} is not a limit. Set it like 1000/50000 (a day / in all), off/50000, or off."
            )
        return cls(setting, kind, unit, *(None if each == "off" else int(each) * unit for each in given))

    def require(self, *, more: int, total: int, written: int, today: int) -> None:
        """Raise StorageFull or StorageDayFull if the totals, with what is more and written now, pass the limit."""
        if self.in_all is not None and more > 0 and total > self.in_all:
            said = f"No more fits: a person may store {self._named(self.in_all)} in all ({self.setting}). Delete some."
            self._refuse("in_all", StorageFull(said))
        if self.a_day is None or written <= 0 or today <= self.a_day:
            return
        limit = f"a person may store {self._named(self.a_day)} a day ({self.setting})"
        if written > self.a_day:
            self._refuse("a_day", StorageFull(f"This is too much at once: {limit}. Send less at once."))
        self._refuse("a_day", StorageDayFull(f"No more can be stored today: {limit}. Go on tomorrow (UTC)."))

    def _named(self, most: int) -> str:
        return f"{most // self.unit:,} {'MiB' if self.unit == MIB else self.kind}"

    def _refuse(self, which: str, problem: InputError) -> NoReturn:
        storage_refused.send(StorageLimit, limit=f"{self.kind}_{which}")
        raise problem


@from_settings
def limits() -> tuple[StorageLimit, StorageLimit]:
    """Return the limits of memories and of bytes. Raises ConfigurationError."""
    return (
        StorageLimit.parse("STORAGE_LIMIT_MEMORIES", "memories"),
        StorageLimit.parse("STORAGE_LIMIT_MIB", "bytes", MIB),
    )


@dataclass(frozen=True, slots=True)
class Storing:
    """What a change adds to what is stored of a person, or takes from it, and what of it is written today."""

    user_id: UUID
    memories: int = 0
    bytes: int = 0
    day_memories: int = 0
    day_bytes: int = 0

    def statements(self) -> tuple[Statement, Statement]:
        """Return the statements that count it and read the totals, for batching with others of as_user()."""
        return self.count("SELECT %s::bigint, %s::bigint", self.memories, self.bytes), self._totals()

    def count(self, given: str, *values: object) -> Statement:
        """Return the statement that adds what `given` selects to a row that nobody holds."""
        today, written = _today(), (self.day_memories, self.day_bytes)
        if distributed():
            [[stored]] = execute_batch((given, values))
            # Which of the rows is no secret.
            row = uuid5(self.user_id, str(randrange(ROWS_ON_SHARDS)))  # noqa: S311  # nosec B311
            return COUNT_ON_SHARDS, [row, self.user_id, *stored, today, *written]
        update = [self.user_id, today, written[0], today, written[1], today, self.user_id]
        return COUNT.format(given=given), [*values, *update, uuid7(), self.user_id, today, *written]

    def require_room(self, totals: Rows, *, is_written: bool = False) -> None:
        """Raise StorageFull or StorageDayFull where the totals, as read after it was counted, pass a limit.

        `is_written` says that the rows were changed before. The first time for a person, count what is there.
        """
        [(has_base, *sums)] = totals
        if not has_base:
            ahead = (0, 0) if is_written else (self.memories, self.bytes)
            [[(_, *sums)]] = execute_batch(self._base(ahead), self._totals())
        memories, bytes_, day_memories, day_bytes = sums
        of_memories, of_bytes = limits()
        of_memories.require(more=self.memories, total=memories, written=self.day_memories, today=day_memories)
        of_bytes.require(more=self.bytes, total=bytes_, written=self.day_bytes, today=day_bytes)

    def _base(self, ahead: tuple[int, int]) -> Statement:
        """Return the statement that counts what is there already."""
        uncounted = [*ahead, *[self.user_id] * 3]
        row = [uuid7(), self.user_id]
        if distributed():
            [[stored]] = execute_batch((UNCOUNTED, uncounted))
            return BASE.format(given="VALUES (%s, %s, true, %s, %s, %s, 0, 0)"), [*row, *stored, _today()]
        given = f"SELECT %s, %s, true, uncounted.*, %s, 0, 0 FROM ({UNCOUNTED}) AS uncounted"  # noqa: S608
        return BASE.format(given=given), [*row, _today(), *uncounted]

    def _totals(self) -> Statement:
        return TOTALS, [_today(), _today(), self.user_id]


def adding(user_id: UUID, *, memories: int = 0, size: int) -> Storing:
    """Return what adding memories, or texts of a conversation, of so many bytes is."""
    return Storing(user_id, memories, size, memories, size)


def replacing(user_id: UUID, *, before: int, after: int) -> Storing:
    """Return what replacing so many bytes by others is."""
    return Storing(user_id, bytes=after - before, day_bytes=after)


def size_of(*texts: str | None) -> int:
    """Return the bytes that texts take once they are sealed."""
    return sum(stored_size(text) for text in texts if text)


def give_back_memories(user_id: UUID, ids: Sequence[UUID]) -> None:
    """Count memories out that are deleted next, with the next statement of the transaction."""
    _count_out(user_id, f"{MEMORIES_OF} AND id = ANY(%s)", user_id, list(ids))


def give_back_conversation(user_id: UUID, conversation_id: UUID) -> None:
    """Count out a conversation that is deleted next, and its memories, with the next statement of the transaction."""
    stored = f"{MEMORIES_OF} AND conversation_id = %s UNION ALL {CONVERSATIONS_OF} AND id = %s"
    _count_out(user_id, stored, user_id, conversation_id, user_id, conversation_id)


def _count_out(user_id: UUID, stored: str, *values: object) -> None:
    """Take what `stored` selects from the counts, with the next statement of the transaction."""
    given = f"SELECT -sum(count)::bigint, -sum(bytes)::bigint FROM ({stored}) AS each (count, bytes)"  # noqa: S608
    current_connection().hold(*Storing(user_id).count(given, *values))


def _today() -> date:
    return datetime.now(UTC).date()
