"""How many rows for a second of work go into a table under row-level security, by the ways there are.

    python -m benchmarks.bulk [--rounds N]

`arrays` is `vibe.core.db.statements.bulk.insert`: one array a column, in binary, unnested. `copy` is COPY, in binary,
into a temporary table (PostgreSQL refuses it into the table itself) and INSERT ... SELECT from there. For vectors,
`text` is arrays whose vectors travel as text. The rounds alternate between the ways. Counted is the processor's time,
here and in the server's process together (Linux), so that a busy machine does not blur it.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from pgvector import HalfVector

from benchmarks.harness import show, throw_away_database

SIZES = (500, 2_000, 10_000)
PAYLOAD = 150  # bytes
VECTORS, DIMENSIONS = 2_000, 512
Rows = Sequence[tuple[Any, ...]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with throw_away_database():
        result: dict[str, Any] = {f"memories_{size}": memories(size, rounds) for size in SIZES}
        result["vectors"] = vectors(rounds)
    show(result)


def memories(size: int, rounds: int) -> dict[str, float]:
    """Sealed memories, and what COPY gains."""
    from django.utils import timezone

    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor
    from memories.models import Conversation
    from vibe.core.db.schema.owned import uuid7
    from vibe.core.db.scopes import as_user
    from vibe.core.db.statements import bulk

    now = timezone.now()
    columns = {"id": "uuid", "conversation_id": "uuid", "message_ids": "text[]", "payload": "bytea"}

    def arrays(user_id: UUID, rows: Rows) -> None:
        ids, conversations, names, payloads = zip(*rows, strict=True)
        given = {name: (kind, values) for (name, kind), values in zip(
            columns.items(), (ids, conversations, [name for (name,) in names], payloads), strict=True
        )}  # fmt: skip
        bulk.insert("encrypted_memories", given, same=same(user_id))

    def same(user_id: UUID) -> dict[str, tuple[str, Any]]:
        return {"user_id": ("uuid", user_id), "revision": ("int4", 1), "occurred_at": ("timestamptz", now)}

    def copy(user_id: UUID, rows: Rows) -> None:
        through_copy(columns, rows)
        bulk.run(
            f"INSERT INTO encrypted_memories ({', '.join(columns)}, user_id, revision, occurred_at) "
            f"SELECT {', '.join(columns)}, %b, 1, %b FROM coming",
            [user_id, now],
        )

    def run(way: Callable[[UUID, Rows], None]) -> float:
        user_id = ensure_person(profile=Profile(str(uuid7())), actor=Actor.system("benchmark"))
        with as_user(user_id):
            conversation = Conversation(id=uuid7(), user_id=user_id, started_at=now, active_at=now)
            conversation.save(force_insert=True)
            rows = [(uuid7(), conversation.pk, [f"D1:{place}"], os.urandom(PAYLOAD)) for place in range(size)]
            return timed(lambda: way(user_id, rows))

    return rates(size, rounds, {"arrays": lambda: run(arrays), "copy": lambda: run(copy)}, "arrays")


def vectors(rounds: int) -> dict[str, float]:
    """Vectors, and what binary gains over text."""
    from django.db import connection, transaction

    from vibe.core.db.schema.owned import uuid7
    from vibe.core.db.statements import bulk

    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE plain_vectors (id uuid, embedding halfvec({DIMENSIONS}))")

    def made() -> tuple[list[UUID], list[HalfVector]]:
        drawn = np.random.default_rng().standard_normal((VECTORS, DIMENSIONS)).astype(np.float32)
        return [uuid7() for _ in drawn], [HalfVector(row) for row in drawn]

    def arrays() -> float:
        ids, given = made()
        return timed(lambda: bulk.insert("plain_vectors", {"id": ("uuid", ids), "embedding": ("halfvec", given)}))

    def text() -> float:
        ids, given = made()
        return timed(
            lambda: bulk.insert(
                "plain_vectors",
                {"id": ("uuid", ids), "embedding": ("text::halfvec", [str(each.to_list()) for each in given])},
            )
        )

    def copy() -> float:
        ids, given = made()

        @transaction.atomic
        def work() -> None:
            through_copy({"id": "uuid", "embedding": "halfvec"}, list(zip(ids, given, strict=True)))
            bulk.run("INSERT INTO plain_vectors SELECT id, embedding FROM coming", [])

        return timed(work)

    return rates(VECTORS, rounds, {"arrays": arrays, "copy": copy, "text": text}, "arrays")


def through_copy(columns: dict[str, str], rows: Rows) -> None:
    """Rows into a temporary table `coming`, which goes with the transaction."""
    import psycopg
    from django.db import connection

    from vibe.core.db.statements import bulk

    defined = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    connection.send_held()  # type: ignore[attr-defined]
    bulk.register_vectors(connection.connection)
    with psycopg.Cursor(connection.connection) as cursor:
        (role,) = cursor.execute("SELECT current_user").fetchone()
        cursor.execute("RESET ROLE")  # the role of a person makes no temporary tables
        cursor.execute(f"CREATE TEMPORARY TABLE coming ({defined}) ON COMMIT DROP; GRANT ALL ON coming TO {role}")
        cursor.execute(f"SET LOCAL ROLE {role}")
        with cursor.copy("COPY coming FROM STDIN (FORMAT BINARY)") as copying:
            copying.set_types(list(columns.values()))
            for row in rows:
                copying.write_row(row)


def rates(size: int, rounds: int, ways: dict[str, Callable[[], float]], ours: str) -> dict[str, float]:
    """Rows for a second of each way, and ours against each of the others."""
    seconds = dict.fromkeys(ways, 0.0)
    for _ in range(rounds):
        for way, run in ways.items():
            seconds[way] += run()
    found = {way: rounds * size / taken for way, taken in seconds.items()}
    return {**found, **{f"{ours}_over_{way}": found[ours] / found[way] for way in ways if way != ours}}


def timed(work: Callable[[], Any]) -> float:
    """Seconds of the processor for one run."""
    start = worked()
    work()
    return worked() - start


def worked() -> float:
    """Seconds that this process and the server's for our connection have worked."""
    from django.db import connection

    connection.ensure_connection()
    process = connection.connection.info.backend_pid
    _, _, counted = Path(f"/proc/{process}/stat").read_text().rpartition(")")
    user, system = counted.split()[11:13]
    return time.process_time() + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
