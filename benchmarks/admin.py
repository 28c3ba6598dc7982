"""How fast the admin is over a large database: its pages over a million memories and as many rows of the trail.

    python -m benchmarks.admin [--memories 1000000] [--repeats 20]

Every list and the page of a row of every table, as support and as a superuser see them, each opened `--repeats` times.
Milliseconds of the whole request, by the clock and of the processor (the web process and its PostgreSQL backend
together: what the clock would say if nobody else used the machine), and statements. People have Zipf sizes. Rows are
made by the server's superuser past the checks, which only a throw-away database allows; nothing of theirs opens.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.harness import processor_time, show, throw_away_database
from vibe.core.db.configured import embedded_server

PEOPLE, ZIPF, PER_CONVERSATION = 5_000, 1.15, 50
MOST_STATEMENTS, LIMIT_MS = 15, 1_000
PASSWORD = "correct horse battery"

# id, email and UID of each person; then what is theirs. `share` numbers conversations off to people by Zipf.
PEOPLE_SQL = """
    INSERT INTO users (id, firebase_uid, email, email_verified, password, is_active, is_staff, is_superuser, updated_at,
        created_at)
    SELECT uuidv7(-make_interval(secs => n)), 'crowd-' || n, 'crowd-' || n || '@example.com', true, '!', true, false,
        false, now(), now() - make_interval(secs => n)
    FROM generate_series(1, %(people)s) AS n
"""
CONVERSATIONS_SQL = """
    WITH sized AS (
        SELECT id, n, power(n, -%(zipf)s) / sum(power(n, -%(zipf)s)) OVER () AS share
        FROM (SELECT id, row_number() OVER () AS n FROM users WHERE NOT is_staff) AS numbered
    )
    INSERT INTO conversations (id, user_id, external_id, title, is_archived, memory_count, started_at, active_at,
        revision, created_at, updated_at)
    SELECT uuidv7(-age), id, 'c' || n || '-' || c, %(sealed)s, c %% 7 = 0, %(each)s, now() - age, now() - age, 1,
        now() - age, now() - age
    FROM sized, generate_series(1, greatest(1, round(share * %(conversations)s)::int)) AS c,
        make_interval(secs => (n * 7919 + c * 104729) %% 31536000) AS age(age)
"""
MEMORIES_SQL = """
    INSERT INTO encrypted_memories (id, user_id, conversation_id, message_ids, payload, occurred_at, revision,
        created_at, updated_at)
    SELECT uuidv7(created_at - now()), user_id, id, ARRAY['m' || m || '-' || external_id], %(sealed)s,
        created_at + make_interval(mins => m), 1, created_at, created_at
    FROM conversations, generate_series(1, %(each)s) AS m
"""
STORIES_SQL = """
    INSERT INTO stories (id, user_id, conversation_id, title, text, people, places, events, people_index, places_index,
        events_index, occurred_from, occurred_to, memory_ids, passage_count, word_count, in_graph, processor, embedder,
        is_open, memory_count, tries, failure, revision, created_at, built_at)
    SELECT uuidv7(created_at - now()), user_id, id, %(sealed)s, %(sealed)s, %(sealed)s, %(sealed)s, %(sealed)s, '{}',
        '{}', '{}', created_at, created_at, '{}', 0, 0, false, 'made-up', '', false,
        memory_count, 0, '', 1, created_at, created_at
    FROM conversations
"""
TRAIL_SQL = """
    INSERT INTO audit_logs (id, at, actor_kind, actor, subject, action, resource, outcome, reason, user_agent,
        request_id, details, mac)
    SELECT uuidv7(updated_at - now()), greatest(updated_at, date_trunc('month', now())), 'person', user_id::text,
        user_id, 'memories.read', 'conversations/' || conversation_id, 'ok', '', 'bench', '', '{}', '\\x00'
    FROM encrypted_memories
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    with throw_away_database():
        start = time.perf_counter()
        rows = fill(options.memories)
        filled = time.perf_counter() - start
        roles = {role: measured(client, options.repeats) for role, client in clients()}
    pages = [(role, name, page) for role, found in roles.items() for name, page in found.items()]
    show(
        {
            "rows": rows,
            "filled_in_seconds": filled,
            "pages": roles,
            "slowest_page": max(pages, key=lambda page: page[2]["p95_ms"])[:2],
            "slowest_p95_ms": max(page["p95_ms"] for *_, page in pages),
            "slowest_processor_p95_ms": max(page["processor_p95_ms"] for *_, page in pages),
            "most_statements": max(page["statements"] for *_, page in pages),
            "over_a_second": [page[:2] for page in pages if page[2]["p95_ms"] > LIMIT_MS],
            "over_15_statements": [page[:2] for page in pages if page[2]["statements"] > MOST_STATEMENTS],
        }
    )


def fill(memories: int) -> dict[str, int]:
    """Make everything. How many rows each table has."""

    asked = {
        "people": PEOPLE,
        "zipf": ZIPF,
        "conversations": memories // PER_CONVERSATION,
        "each": PER_CONVERSATION,
        "sealed": b"\x02" + bytes(286),
    }
    tables = ("users", "conversations", "encrypted_memories", "stories", "audit_logs")
    with embedded_server().connect() as server:
        server.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        for statement in (PEOPLE_SQL, CONVERSATIONS_SQL, MEMORIES_SQL, STORIES_SQL, TRAIL_SQL):
            server.execute(statement, asked if "%" in statement else None)
        server.execute("VACUUM ANALYZE")
        return {table: server.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


def clients() -> Iterator[tuple[str, Any]]:
    """A signed-in client of each role."""
    from django.conf import settings
    from django.contrib.auth.models import Group
    from django.test import Client

    from accounts.models import User
    from vibe.core.db.scopes import as_staff, as_support

    settings.ALLOWED_HOSTS = ["testserver"]
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    for role in ("superuser", "support"):
        make = User.objects.create_superuser if role == "superuser" else User.objects.create_user
        user = make(f"{role}@example.com", PASSWORD)
        if role != "superuser":
            with as_staff():
                user.groups.set(Group.objects.filter(name=role))
        client = Client()
        with as_support():
            client.force_login(user)
        yield role, client


def measured(client: Any, repeats: int) -> dict[str, dict[str, Any]]:
    """Each page that the role may see: median and p95 of its time, and its statements."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    found = {}
    for name, address in pages():
        if client.get(address).status_code == 403:
            continue
        with CaptureQueriesContext(connection) as asked:
            client.get(address)
        statements = len(asked)  # now: the next request empties the log
        times = [timed(lambda address=address: client.get(address)) for _ in range(repeats)]
        clock, processor = zip(*times, strict=True)
        found[name] = {
            "median_ms": statistics.median(clock),
            "p95_ms": statistics.quantiles(clock, n=20)[-1],
            "processor_median_ms": statistics.median(processor),
            "processor_p95_ms": statistics.quantiles(processor, n=20)[-1],
            "statements": statements,
        }
    return found


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds by the clock, and of the processor."""
    start, used = time.perf_counter(), processor_time()
    answer = work()
    assert answer.status_code == 200, answer.content[:500]
    return (time.perf_counter() - start) * 1000, (processor_time() - used) * 1000


def pages() -> Iterator[tuple[str, str]]:
    """Every page by name: lists as they open, narrowed, searched, ordered and far back; a row of each table."""
    from django.contrib import admin
    from django.urls import reverse

    from accounts.models import User
    from audit.models import AuditLog
    from memories.models import Conversation, Memory
    from stories.models import Story
    from vibe.core.admin.base import MetadataAdmin
    from vibe.core.admin.links import list_url, page_url
    from vibe.core.admin.paging import WINDOW
    from vibe.core.db.scopes import as_support

    large = (User, Conversation, Memory, Story, AuditLog)
    yield "home", reverse("admin:index")
    yield "health", reverse("admin:database_health")
    yield "queues", reverse("admin:queues")
    with as_support():
        largest = Conversation.objects.order_by().values_list("user_id", flat=True)
        busiest = User.objects.only("pk", "email").get(firebase_uid="crowd-1")
        assert largest.filter(user_id=busiest.pk).exists()
        rows = {model: model._default_manager.only("pk").first() for model in large}
        middle = Memory.objects.only("pk", "message_ids").order_by("pk")[500]
    for model, its_admin in admin.site._registry.items():
        if isinstance(its_admin, MetadataAdmin):
            yield f"list {model._meta.db_table}", list_url(model)
    for model in (Conversation, Memory, Story):
        table = model._meta.db_table
        yield f"list {table} of one person", list_url(model, user=busiest.pk)
        yield f"list {table} by email", list_url(model, q=busiest.email)
        yield f"list {table} by the beginning of emails", list_url(model, q="crowd-")
        with as_support():
            last = model._default_manager.order_by()[:WINDOW].count() // 50
        yield f"list {table} last page", list_url(model, p=last)
    for model in (User, Conversation, Memory, Story):
        yield f"list {model._meta.db_table} of a month", list_url(model, created_at__year=2026, created_at__month=3)
    yield "list encrypted_memories by message id", list_url(Memory, q=middle.message_ids[0])
    yield "list audit_logs of one person", list_url(AuditLog, subject=busiest.pk)
    yield "list audit_logs of one person, content read", list_url(AuditLog, subject=busiest.pk, done="content")
    yield "list audit_logs from a day on", list_url(AuditLog, **{"from": "2026-01-01"})
    yield "why it was not found", f"{reverse('admin:why_not_found', args=[busiest.pk])}?memory={middle.pk}"
    yield "list audit_logs of one resource", list_url(AuditLog, resource="conversations/none")
    yield "list users of staff", list_url(User, kind="staff")
    yield "list stories corrected", list_url(Story, corrected="yes")
    for model in large:
        for name, value in narrowings(model, admin.site._registry[model].list_filter):
            yield f"list {model._meta.db_table} {name}={value}", list_url(model, **{f"{name}__exact": value})
        for number in range(1, len(admin.site._registry[model].list_display) + 1):
            yield f"list {model._meta.db_table} ordered by column {number}", list_url(model, o=number)
    for model, row in rows.items():
        yield f"page {model._meta.db_table}", page_url(model, row.pk)
    yield "page users with the most", page_url(User, busiest.pk)


def narrowings(model: Any, filters: Any) -> Iterator[tuple[str, Any]]:
    """Each choice of each filter beside a list that is a column's own."""
    for name in filters:
        if isinstance(name, str):
            for value, _ in model._meta.get_field(name).flatchoices or ((0, "No"), (1, "Yes")):
                yield name, value


if __name__ == "__main__":
    main()
