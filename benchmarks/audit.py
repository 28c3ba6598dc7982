"""What the trail costs and how fast it proves.

    python -m benchmarks.audit [--rows 1000000] [--seconds 5] [--requests 400]

Requests to the API with and without their rows, alternating in one run, by the clock and of the processor; 32 writers
with and without a sealer beside them; sealing, proving and reading a trail of `--rows` rows. Everything on a throw-away
server, in a folder that is gone afterwards.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.harness import processor_time, show, throw_away_database
from vibe.core.db.configured import embedded_server

WRITERS, PROCESSES, EVERY = 32, 4, 5  # connections, processes they are in, seconds between seals
PEOPLE, STAFF, DAYS = 20_000, 40, 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5, help="of each phase of writing (four phases)")
    parser.add_argument("--requests", type=int, default=400, help="of each kind, with the trail and without")
    options = parser.parse_args()
    os.environ.update(API_LIMIT_PERSON="100000000/100000000", ALLOWED_HOSTS="*")
    with throw_away_database() as folder:
        show(
            {
                "request": requests(options.requests),
                "writers": writers(options.seconds),
                "trail": trail_of(options.rows, folder),
            }
        )


# Requests


def requests(count: int) -> dict[str, Any]:
    """The same request to the API with its rows in the trail and without, in turns. Milliseconds.

    Everything else is there: signing in by token, the limit, scope, keys, opening or sealing, JSON. Getting has nothing
    to commit to disk but its row; adding commits anyway, and has two rows, of the verb and of the request.
    """
    from accounts.authentication import local_tokens
    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor
    from memories.imports.lines import ConversationLine, Message
    from memories.imports.services.conversations import import_conversations
    from memories.models import Conversation, Memory
    from memories.payload import Payload
    from vibe.core.db.scopes import as_user

    me, now = Actor.system("bench"), datetime.now(UTC)
    ada = ensure_person(profile=Profile(firebase_uid="ada"), actor=me)
    said = tuple(Message(f"m{n}", Payload("Ada", "I moved to Lisbon. " * 9), now) for n in range(50))
    line = ConversationLine(1, Profile(firebase_uid="-"), "first", "A title", None, now, said)
    import_conversations(user_id=ada, lines=[line], actor=me)
    with as_user(ada):
        conversation, memory = Conversation.objects.of(ada).get().pk, Memory.objects.of(ada)[0].pk
    asked: dict[str, tuple[str, str, Any]] = {
        "get a memory": ("GET", f"/memories/{memory}", None),
        "list 50 memories": ("GET", f"/conversations/{conversation}/memories", None),
        "add a memory": ("POST", f"/conversations/{conversation}/memories", {"author": "Ada", "text": "I stayed."}),
    }
    signed_in = {"authorization": f"Bearer {local_tokens.issue(uid='ada')}", "user-agent": "bench"}
    return {
        **{name: compared(*how, signed_in, count) for name, how in asked.items()},
        "commit_to_disk_ms": commit_time(),
    }


def compared(method: str, path: str, body: Any, headers: dict[str, str], count: int) -> dict[str, Any]:
    """One request with its rows and without."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client()

    def ask() -> None:
        given = b"" if body is None else json.dumps(body)
        answer = client.generic(method, f"/api/v1{path}", given, "application/json", headers=headers)
        assert answer.status_code in (200, 201), answer.content

    kinds: dict[str, Callable[[], Any]] = {"with": nullcontext, "without": without_trail}
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    used = dict.fromkeys(kinds, 0.0)
    statements = {}
    ask()  # what only the first request does is not counted
    for kind, around in kinds.items():
        with around(), CaptureQueriesContext(connection) as seen:
            ask()
        statements[kind] = len(seen)
    for number in range(count * 2):
        kind = ("with", "without")[number % 2]
        with kinds[kind]():
            start, before = time.perf_counter(), processor_time()
            ask()
            times[kind].append((time.perf_counter() - start) * 1000)
            used[kind] += (processor_time() - before) * 1000 / count
    p50 = {kind: statistics.median(values) for kind, values in times.items()}
    return {
        "p50_ms": p50,
        "p95_ms": {kind: statistics.quantiles(values, n=20)[-1] for kind, values in times.items()},
        "ratio_p50": p50["with"] / p50["without"],
        "processor_ms": used,
        "ratio_processor": used["with"] / used["without"],
        "extra_statements": statements["with"] - statements["without"],
    }


@contextmanager
def without_trail() -> Iterator[None]:
    """Whoever records has a recorder that writes nothing."""
    from audit import services

    recorder = services.record
    places = [each for each in list(sys.modules.values()) if getattr(each, "record", None) is recorder]
    for module in places:
        module.record = forget  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in places:
            module.record = recorder  # type: ignore[attr-defined]


def forget(*, subject: Any = None, **_: Any) -> None:
    """What recording does beside writing: a scope does not end before its revisions were told."""
    from audit.services import recorded_revisions

    recorded_revisions(subject)


def commit_time() -> float:
    """What one commit that wrote anything waits for, by itself."""
    from django.db import connection, transaction

    times = []
    for _ in range(100):
        start = time.perf_counter()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id(), pg_logical_emit_message(true, 'bench', 'x')")
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


# Writers


def writers(seconds: float) -> dict[str, Any]:
    """Rows a second of 32 connections, each row a transaction, without a sealer and with one, in turns."""
    rates: dict[str, list[float]] = {"off": [], "on": []}
    errors = 0
    for kind in ("off", "on", "off", "on"):
        sealer = start_sealer() if kind == "on" else None
        try:
            written, failed = write_for(seconds)
            if sealer:
                time.sleep(EVERY + 1)
        finally:
            if sealer:
                sealer.terminate()
                sealer.wait()
        rates[kind].append(written / seconds)
        errors += failed
    best = {kind: max(values) for kind, values in rates.items()}
    return {
        "rows_per_second": rates,
        "ratio": sum(rates["on"]) / sum(rates["off"]),
        "ratio_of_best": best["on"] / best["off"],
        "errors": errors,
        "deadlocks": ask("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"),
        "seal_every_seconds": EVERY,
        "longest_unsealed_seconds": ask(
            "SELECT extract(epoch FROM max(c.at - l.row_at))::float FROM audit_leaves l JOIN audit_checkpoints c "
            "ON l.position BETWEEN c.first AND c.first + c.count - 1 WHERE l.row_at > "
            "(SELECT min(at) + interval '1 second' FROM audit_checkpoints WHERE number > 1) AND c.number > 2"
        ),
    }


def start_sealer() -> subprocess.Popen[bytes]:
    """As it runs beside the web processes. What was left unsealed is sealed before the clock starts."""
    from audit.sealing.services import seal

    seal()
    command = [sys.executable, "manage.py", "seal_audit", "--every", str(EVERY)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def write_for(seconds: float) -> tuple[int, int]:
    """Rows written and errors met by all writers together."""
    context = multiprocessing.get_context("spawn")
    results, ready = context.Queue(), context.Barrier(PROCESSES)
    workers = [context.Process(target=write_process, args=(seconds, ready, results)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    counts = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return sum(count for count, _ in counts), sum(failed for _, failed in counts)


def write_process(seconds: float, ready: Any, results: Any) -> None:
    """A process with its share of the writers. It has the environment of the measurement."""
    import django

    django.setup()
    counts: list[int] = []
    failures: list[int] = []
    ready.wait()
    threads = [
        threading.Thread(target=write_thread, args=(time.monotonic() + seconds, counts, failures))
        for _ in range(WRITERS // PROCESSES)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((sum(counts), len(failures)))


def write_thread(end: float, counts: list[int], failures: list[int]) -> None:
    from audit.actors import Actor
    from audit.services import record
    from vibe.core.db.schema.owned import uuid7
    from vibe.core.errors import AuditUnavailable

    me, count = Actor.system("bench"), 0
    while time.monotonic() < end:
        try:
            record(actor=me, action="story.read", subject=uuid7(), resource="stories", details={"ids": [count]})
            count += 1
        except AuditUnavailable:
            failures.append(1)
    counts.append(count)


# A long trail


def trail_of(rows: int, folder: Any) -> dict[str, Any]:
    """Seal, prove and read."""

    from audit.proof.keys import trail_keys
    from audit.proof.verification import prove
    from audit.sealing import witness
    from audit.sealing.services import seal

    fill(rows)
    start = time.perf_counter()
    sealed = seal()
    seal_seconds = time.perf_counter() - start
    with embedded_server().connect() as server:
        server.execute("VACUUM ANALYZE")
    start = time.perf_counter()
    proof = prove(trail_keys(), witness.read_witnesses(folder / "audit-checkpoints.jsonl"))
    prove_seconds = time.perf_counter() - start
    return {
        "rows": proof.rows,
        "checkpoints": proof.checkpoints,
        "seal_rows_per_second": sealed.rows / seal_seconds,
        "verify_rows_per_second": proof.rows / prove_seconds,
        "verify_seconds": prove_seconds,
        "reading": reading(),
    }


def fill(rows: int) -> None:
    """Rows as the recorder writes them, spread over two months, copied in by the server's superuser."""
    from django.db import connection

    from audit.proof.row_digest import AuditRow
    from audit.retention.partitions import ensure_partitions

    with connection.cursor() as cursor:
        ensure_partitions(cursor, today=datetime.now(UTC).date() - timedelta(days=DAYS + 1))
    with embedded_server().connect() as server, server.cursor() as cursor:
        columns = ", ".join((*AuditRow._fields, "mac"))
        with cursor.copy(f"COPY audit_logs ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
            kinds = "uuid timestamptz text text uuid text text text text inet text text jsonb bytea"
            copy.set_types(kinds.split())
            for row in made_up(rows):
                copy.write_row(row)


def made_up(rows: int) -> Iterator[tuple[Any, ...]]:
    from ipaddress import ip_address
    from uuid import UUID

    from psycopg.types.json import Jsonb

    from audit.proof.keys import trail_keys
    from audit.proof.row_digest import AuditRow, encode_row

    pick, keys = random.Random(4), trail_keys()
    start = datetime.now(UTC) - timedelta(days=DAYS)
    for number in range(rows):
        at = start + timedelta(days=DAYS) * (number / rows)
        stamp = int(at.timestamp() * 1000)
        subject = UUID(int=int(PEOPLE * pick.random() ** 3))
        row = AuditRow(
            id=UUID(int=(stamp << 80) | (7 << 76) | (2 << 62) | pick.getrandbits(60)),
            at=at,
            actor_kind="staff",
            actor=str(UUID(int=int(STAFF * pick.random()))),
            subject=str(subject),
            action="story.read",
            resource=f"stories/{int(50_000 * pick.random() ** 2)}",
            outcome="ok",
            reason="",
            ip=f"198.51.{number % 200}.{number % 250}",
            user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            request_id=f"{pick.getrandbits(128):032x}",
            details="{}" if number % 4 else json.dumps({"ids": [number]}),
        )
        details = Jsonb({"ids": [number]} if number % 4 == 0 else {})
        yield (
            *(row.id, row.at, row.actor_kind, row.actor, subject, row.action, row.resource, row.outcome, row.reason),
            *(ip_address(str(row.ip)), row.user_agent, row.request_id, details, keys.mac(encode_row(row))),
        )


def reading(count: int = 150) -> dict[str, Any]:
    """Pages of 50: the first, and one from somewhere in the middle. Milliseconds; and the plans."""
    from uuid import UUID

    from audit.models import AuditLog
    from audit.reading.services import page
    from vibe.core.db.paging import Position
    from vibe.core.db.scopes import as_support

    pick, now = random.Random(5), datetime.now(UTC)
    trail = AuditLog.objects
    questions: dict[str, Callable[[], Any]] = {
        "newest": trail.all,
        "person": lambda: trail.about(UUID(int=int(PEOPLE * pick.random() ** 3))),
        "staff": lambda: trail.by(UUID(int=int(STAFF * pick.random()))),
        "resource": lambda: trail.of(f"stories/{int(50_000 * pick.random() ** 2)}"),
    }
    found: dict[str, Any] = {}
    with as_support():
        for name, question in questions.items():
            times = []
            for number in range(count):
                deep = Position(now - timedelta(days=DAYS * pick.random()), UUID(int=pick.getrandbits(128)))
                rows = question()
                start = time.perf_counter()
                page(rows, after=deep if number % 2 else None)
                times.append((time.perf_counter() - start) * 1000)
            plan = question().order_by("-at", "-id")[:51].explain(analyze=True)
            found[name] = {
                "p50_ms": statistics.median(times),
                "p95_ms": statistics.quantiles(times, n=20)[-1],
                "plan": [line for line in plan.splitlines() if "never executed" not in line][:14],
            }
    return found


def ask(query: str) -> Any:
    """One value, as the server's superuser."""

    with embedded_server().connect() as server:
        return server.execute(query).fetchone()[0]


if __name__ == "__main__":
    main()
