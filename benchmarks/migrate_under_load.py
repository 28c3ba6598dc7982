"""Changing the schema of a big table while it is in use.

    python -m benchmarks.migrate_under_load [--rows 1000000] [--vectors 50000] [--rate 100]

`--rows` passages of a thousand people; `--rate` requests a second on them through our scopes (three reads, one change),
each timed from the moment it was due. Each migration begins beside a transaction that changed a row and then sits idle,
and a pg_dump. At the end, as a control, the same kind of change as Django does it by itself, beside the same.
Everything on a throw-away server, in a folder that is gone afterwards.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import threading
import time
from typing import Any

from benchmarks.harness import show, throw_away_database
from vibe.core.db.configured import embedded_server

PEOPLE, THREADS, IDLE = 1000, 32, 10.0  # idle: seconds
READS = 3  # to one change
FURNISH = """
INSERT INTO users (id, firebase_uid, email_verified, password, is_active, is_staff, is_superuser, updated_at)
SELECT {person}, 'person-' || p, false, '!', true, false, false, now() FROM generate_series(0, {people} - 1) p;
INSERT INTO conversations (id, user_id, is_archived, memory_count, started_at, active_at, revision, updated_at)
SELECT {person}, {person}, false, 0, now(), now(), 1, now() FROM generate_series(0, {people} - 1) p;
INSERT INTO stories (id, user_id, conversation_id, title, text, people, places, events, people_index, places_index,
    events_index, occurred_from, occurred_to, memory_ids, passage_count, word_count, in_graph, processor, embedder,
    is_open, memory_count, tries, failure, revision, built_at)
SELECT {person}, {person}, {person}, '', '', '', '', '', '{{}}', '{{}}', '{{}}', now(), now(), '{{}}', 0, 0, false, '',
    '', false, 0, 0, '', 1, now() FROM generate_series(0, {people} - 1) p;
INSERT INTO encrypted_memories (id, user_id, conversation_id, message_ids, payload, occurred_at, revision)
SELECT {row}, {person}, {person}, ARRAY['m' || n], sha256(n::text::bytea), now(), 1
FROM generate_series(1, {rows}) n, LATERAL (SELECT n % {people} AS p) whose;
INSERT INTO passages (id, user_id, conversation_id, story_id, memory_id, memory_revision, part, role, speaker, words,
    counts, length, occurred_at, embedding, model, form, in_graph)
SELECT {row}, {person}, {person}, {person}, {row}, 1, 0, 'user', n, ARRAY[hashint8(n), hashint8(n + 1)]::bigint[],
    ARRAY[1, 1]::smallint[], 2, now() - n * interval '1 second',
    CASE WHEN n <= {vectors} THEN (SELECT array_agg(random()) FROM generate_series(1, 512) WHERE n > 0)::halfvec END,
    0, 0, n <= {vectors}
FROM generate_series(1, {rows}) n, LATERAL (SELECT n % {people} AS p) whose
"""
PERSON, ROW = "('00000000-0000-7000-8000-' || lpad(to_hex(p), 12, '0'))::uuid", "md5(n::text)::uuid"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--vectors", type=int, default=50_000, help="rows that are in the graph")
    parser.add_argument("--rate", type=float, default=100, help="requests a second")
    options = parser.parse_args()
    with throw_away_database():
        furnish(options.rows, options.vectors)
        show(measured(options.rate) | {"rows": options.rows, "vectors": options.vectors})


def furnish(rows: int, vectors: int) -> None:
    """People, stories, memories and passages, as the superuser makes them; the graph is left to the migration."""

    with embedded_server().connect() as postgres:
        postgres.execute("DROP INDEX passages_embedding")
        statements = FURNISH.format(person=PERSON, row=ROW, rows=rows, vectors=vectors, people=PEOPLE)
        for statement in statements.split(";\n"):
            postgres.execute(statement)
        postgres.execute("VACUUM ANALYZE")


def measured(rate: float) -> dict[str, Any]:
    """Each migration under load, then the control."""
    context = multiprocessing.get_context("spawn")
    answers, stop = context.Queue(), context.Event()
    load = context.Process(target=requests, args=(rate, answers, stop))
    load.start()
    assert answers.get(timeout=60) == "ready"
    windows: dict[str, tuple[float, float]] = {}
    try:
        time.sleep(5)
        windows["nothing"] = (time.time() - 5, time.time())
        for name, work in {**migrations(), "control: without a lock time limit": plainly}.items():
            windows[name] = beside_others(work)
    finally:
        stop.set()
        done = answers.get(timeout=120)
        load.join()
    found = {name: told(done, *window) for name, window in windows.items()}
    ours = [each for name, each in found.items() if not name.startswith("control")]
    return {
        "steps": found,
        "errors": sum(each["errors"] for each in ours),
        "slowest_ms": max(each["slowest_ms"] for each in ours),
        "rate": rate,
        "idle_seconds": IDLE,
    }


def told(done: list[tuple[float, float, str]], start: float, end: float) -> dict[str, Any]:
    """What became of the requests that were due in a window."""
    times = sorted(taken for due, taken, _ in done if start <= due < end)
    errors = [error for due, _, error in done if start <= due < end and error]
    return {
        "seconds": end - start,
        "requests": len(times),
        "errors": len(errors),
        "kinds": sorted(set(errors)),
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[int(len(times) * 0.99)] * 1000,
        "slowest_ms": times[-1] * 1000,
    }


# What is changed


def migrations() -> dict[str, Any]:
    """Name -> what runs it, in order."""
    from django.contrib.postgres.indexes import GinIndex
    from django.db import connection, models
    from django.db import migrations as dj
    from django.db.migrations.loader import MigrationLoader
    from django.db.models import Q

    from stories.models import graph_of
    from vibe.core.db.migrating.lock import PatientExecutor
    from vibe.core.db.schema.constraints import CompositeReference
    from vibe.core.db.schema.operations import RunInBatches

    mood = {"null": True}
    filled = models.SmallIntegerField(db_default=0)
    user = CompositeReference(name="bench_user", columns=["user_id"], to="accounts.User", to_columns=["id"])
    rule = models.CheckConstraint(condition=Q(mood__gte=0, mood__lt=7), name="bench_mood")
    graph = graph_of(512, "bench_graph")
    steps = {
        "a column": dj.AddField("passage", "mood", models.SmallIntegerField(**mood)),
        "a backfill": RunInBatches(
            "passages", set="mood = length % 7", where="mood IS NULL", writes=["mood"], reads=["length"]
        ),
        "NOT NULL": dj.AlterField("passage", "mood", filled),
        "a check": dj.AddConstraint("passage", rule),
        "an index": dj.AddIndex("passage", models.Index(fields=["user", "mood"], name="bench_moods")),
        "a GIN index": dj.AddIndex("passage", GinIndex(fields=["metadata_index"], name="bench_metadata")),
        "a foreign key": dj.AddConstraint("passage", user),
        "an HNSW index": dj.AddIndex("passage", graph),
    }
    state = MigrationLoader(connection).project_state()

    def step(number: int, operation: Any) -> Any:
        def run() -> None:
            nonlocal state
            kind = type("Migration", (dj.Migration,), {"operations": [operation], "atomic": False})
            state = PatientExecutor(connection).apply_migration(state, kind(f"bench_{number}", "stories"))

        return run

    return {name: step(number, operation) for number, (name, operation) in enumerate(steps.items())}


def plainly() -> None:
    """A column, as a statement that waits for its lock as long as it must."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 0; ALTER TABLE passages ADD COLUMN control smallint")


def beside_others(work: Any) -> tuple[float, float]:
    """Run it beside an idle transaction and a pg_dump that began before. When it began and ended."""

    from vibe.core.db.embedded.files import BINARIES

    server = embedded_server()
    idle = server.connect()
    idle.execute("BEGIN; UPDATE passages SET length = length WHERE id = md5('1')::uuid")
    command = [
        str(BINARIES / "pg_dump"),
        "-Fc",
        "-Z0",
        "--no-sync",
        "-f",
        os.devnull,
        "-h",
        str(server.sockets),
        "-U",
        "postgres",
    ]
    dump = subprocess.Popen([*command, "vibe"])
    ending = threading.Timer(IDLE, idle.close)
    ending.start()
    time.sleep(0.5)
    start = time.time()
    try:
        work()
        return start, time.time()
    finally:
        ending.join()
        assert dump.wait() == 0


# Requests


def requests(rate: float, answers: Any, stop: Any) -> None:
    """In a process of its own: each thread takes the next request when it is due, until `stop`."""
    import django

    django.setup()
    from django.conf import settings

    settings.DEBUG = False
    done: list[tuple[float, float, str]] = []
    turn, lock, number = time.time() + 1, threading.Lock(), 0

    def work() -> None:
        nonlocal number
        while not stop.is_set():
            with lock:
                mine, number = number, number + 1
            due = turn + mine / rate
            time.sleep(max(0.0, due - time.time()))
            error = attempt(mine)
            done.append((due, time.time() - due, error))

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for each in threads:
        each.start()
    answers.put("ready")
    for each in threads:
        each.join()
    answers.put(done)
    embedded_server().release()


def attempt(number: int) -> str:
    """One request. What went wrong, if anything did."""
    from uuid import UUID

    from stories.models import Passage
    from vibe.core.db.scopes import as_user

    user_id = UUID(int=(0x7000_8000 << 48) + (number * 7919) % PEOPLE)
    try:
        with as_user(user_id):
            rows = Passage.objects.of(user_id).filter(story_id=user_id).order_by("-occurred_at", "id")
            newest = rows.values_list("pk", flat=True)[:20]
            if number % (READS + 1):
                list(newest)
            else:
                Passage.objects.of(user_id).filter(pk=newest[number % 10]).update(length=number)
    except Exception as problem:
        return type(problem).__name__
    return ""


if __name__ == "__main__":
    main()
