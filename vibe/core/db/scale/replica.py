"""An optional read replica, for reading a person's own rows, configured by REPLICA_URL.

Readers call `read`, inside as_user() on the primary and with the keys opened there. The work goes to the replica if
that is known to hold

- all that was committed REPLICA_MAX_LAG_MS ago (this process remembers the primary's log position of then), and
- the person's own last change, whose log position is recorded for all processes in the table `last_changes`.

The wait for it is short. If the replica is behind, gone, promoted or fails, the primary does the work, and the replica
is not tried for a while. Permissions, limits, keys and the audit log are always on the primary: what runs on the
replica is a function that only reads.

Log positions are bytes since the log's beginning, so that they compare as numbers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, transaction
from django.dispatch import Signal

from vibe.core.db.backend.base import REPLICA
from vibe.core.db.roles import USER
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_user
from vibe.core.errors import VibeError

Result = TypeVar("Result")

WAIT_SECONDS: Final = 0.05
PAUSE_SECONDS: Final = 0.002
REST_SECONDS: Final = 5.0
"""How long a replica that failed is not tried. One that is behind is tried again after a fifth of it."""
SAMPLES: Final = 16
"""How many log positions of the primary are remembered over REPLICA_MAX_LAG_MS."""

PLACE: Final = "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
ASK: Final = (
    f"SELECT pg_current_xact_id_if_assigned() IS NULL, {PLACE}, "  # noqa: S608
    "(SELECT place FROM last_changes WHERE user_id = %s)"
)
STANDING: Final = "SELECT pg_is_in_recovery(), pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint"
WHICH: Final = "current_database(), (SELECT system_identifier FROM pg_control_system())"
COMPARED: Final = f"{STANDING}, extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), {WHICH}"
NOTE: Final = (
    f"SET LOCAL ROLE {USER}; SET LOCAL vibe.user_id = %s; "  # noqa: S608
    f"INSERT INTO last_changes AS kept (id, user_id, place) VALUES (%s, %s, {PLACE}) "
    "ON CONFLICT (user_id) DO UPDATE SET place = greatest(kept.place, excluded.place)"
)

routed = Signal()
"""Sent for every read, with `to`, the "replica" or the "primary", and for the latter `why`: changing, resting, behind,
failed, not found."""
logger = logging.getLogger(__name__)


class Behind(VibeError):
    message = "The replica has not come far enough."
    code = "replica-behind"


class Resting(VibeError):
    message = "Another reading tries the replica first."
    code = "replica-resting"


class NoReplica(VibeError):
    message = "The server of REPLICA_URL is no replica: it was promoted, or never was one."
    code = "no-replica"


@dataclass(slots=True)
class Memory:
    """What this process remembers: log positions of the primary by time, and until when the replica is not tried."""

    places: deque[tuple[float, int]] = field(default_factory=deque)
    rests_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def oldest(self, now: float, place: int) -> int:
        """Record the log position. Return the oldest one that is at most REPLICA_MAX_LAG_MS old."""
        longest: float = settings.REPLICA_MAX_LAG_MS / 1000
        with self.lock:
            while self.places and self.places[0][0] < now - longest:
                self.places.popleft()
            if not self.places or self.places[-1][0] < now - longest / SAMPLES:
                self.places.append((now, place))
            return self.places[0][1]

    def rests(self) -> bool:
        return time.monotonic() < self.rests_until

    def wakes(self) -> bool:
        """Return whether it may be tried now. After a pause one read tries it, while the others use the primary."""
        with self.lock:
            if self.rests():
                return False
            if self.rests_until:
                self.rests_until = time.monotonic() + REST_SECONDS
            return True

    def rest(self, seconds: float) -> None:
        self.rests_until = time.monotonic() + seconds

    def is_well(self) -> None:
        self.rests_until = 0.0


memory = Memory()


def is_configured() -> bool:
    """Return whether a replica is configured."""
    return REPLICA in connections.settings


def is_in_use() -> bool:
    """Return whether this thread's statements go to the replica now."""
    return connection.alias == REPLICA


def read(user_id: UUID, work: Callable[[], Result]) -> Result:
    """Return what `work` reads, on the replica if that holds everything it must, on the primary otherwise.

    Call it inside as_user(user_id). `work` reads rows of that person through Django's connection, changes nothing,
    opens no keys, and may be called twice: whatever fails on the replica is read again from the primary.
    """
    if not is_configured():
        return work()
    why = "resting"
    if not memory.rests():
        place, why = required_position(user_id), "changing"
        if place is not None:
            try:
                result = read_on_replica(user_id, place, work)
            except (DatabaseError, VibeError) as problem:
                why = rest_replica(problem)
            else:
                memory.is_well()
                routed.send(None, to=REPLICA, why="")
                return result
    routed.send(None, to="primary", why=why)
    return work()


def rest_replica(problem: Exception) -> str:
    """Pause the replica, unless the error is not its fault. Return the reason in a word."""
    if isinstance(problem, Resting):
        return "resting"
    if isinstance(problem, Behind):
        memory.rest(REST_SECONDS / 5)
        return "behind"
    if isinstance(problem, DatabaseError | NoReplica):
        memory.rest(REST_SECONDS)
        logger.warning("The replica is not asked for %.0f seconds: %s", REST_SECONDS, type(problem).__name__)
        return "failed"
    memory.is_well()
    return "not found"


def required_position(user_id: UUID) -> int | None:
    """Return the log position that the replica must have replayed; None if the caller's transaction changes rows."""
    now = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(ASK, [user_id])
        unchanged, place, own = cursor.fetchone()
    return max(memory.oldest(now, place), own or 0) if unchanged else None


def read_on_replica(user_id: UUID, place: int, work: Callable[[], Result]) -> Result:
    """Do the work on the replica, in one snapshot that holds everything up to a log position.

    Raises Resting, Behind and NoReplica.
    """
    if not memory.wakes():
        raise Resting
    with routed_to_replica(), transaction_ended():
        wait_for(place)
        with as_user(user_id):
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return work()


@contextmanager
def routed_to_replica() -> Iterator[None]:
    """Route all statements of this thread to the replica for the block. They can write nothing there."""
    primary = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connections[REPLICA]
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = primary


@contextmanager
def transaction_ended() -> Iterator[None]:
    """Close the connection after a database error, so that the next use opens a new one."""
    try:
        yield
    except DatabaseError:
        connection.close()
        raise


def wait_for(place: int) -> None:
    """Wait until the replica has replayed everything up to a log position. Raises Behind and NoReplica.

    This takes its own statement: a snapshot taken before the position is read could lack what the position includes.
    """
    until = time.monotonic() + WAIT_SECONDS
    while replay_position() < place:
        if time.monotonic() > until:
            raise Behind
        time.sleep(PAUSE_SECONDS)


def replay_position() -> int:
    """Return the log position that the replica has replayed. Raises NoReplica."""
    with connection.cursor() as cursor:
        cursor.execute(STANDING)
        replays, place = cursor.fetchone()
    if not replays or place is None:
        raise NoReplica
    return int(place)


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """The state of the replica compared with its primary."""

    replays: bool
    """Whether it is a replica at all."""
    same: bool
    """Whether it is a copy of the primary: of one cluster, and the same database."""
    behind: int
    """Bytes of the log that it has not replayed."""
    seconds: float
    """Age of what it replayed last, where it is behind."""


def compare_positions() -> ReplicaStatus:
    """Compare the replica with the primary. Raises DatabaseError when either does not answer."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {PLACE}, {WHICH}")
        place, *which = cursor.fetchone()
    with routed_to_replica(), connection.cursor() as cursor:
        cursor.execute(COMPARED)
        replays, come, age, *its = cursor.fetchone()
    behind = max(0, place - (come or 0)) if replays else 0
    return ReplicaStatus(bool(replays), its == which, behind, float(age or 0) if behind else 0.0)


def will_change(user_id: UUID) -> None:
    """Record the log position once the caller's transaction has committed: the person reads that state or later."""
    if is_configured():
        transaction.on_commit(lambda: note_change(user_id))


def note_change(user_id: UUID) -> None:
    """Record it in a transaction of its own and one round trip, with no wait for the disk: the table is unlogged."""
    with connection.cursor() as cursor:
        cursor.execute(NOTE, [str(user_id), uuid7(), user_id])
