"""The figures and charts of the home page. Each is cheap at any table size and readable by support."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from django.db import connection, models
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from memories.models import Conversation, Memory
from stories.models import Story
from vibe.core.admin.links import list_url
from vibe.core.admin.paging import WINDOW, counts, estimates
from vibe.core.db.job_classes.reporting import read_states
from vibe.core.db.schema.owned import first_uuid7_at
from vibe.core.db.statements.batching import distributed, execute_batch

DAYS = 30
# By audit_logs_actor: only the rows of staff are read.
CONTENT_READS = """
SELECT (at AT TIME ZONE 'UTC')::date, count(*) FROM audit_logs
WHERE actor IN (SELECT id::text FROM users WHERE is_staff) AND actor <> '' AND at >= %s
  AND action = 'content.read' AND outcome = 'ok' GROUP BY 1
"""
# By audit_logs_fruitless: only searches that found nothing are in it. The condition is the index's.
FRUITLESS = """
SELECT (at AT TIME ZONE 'UTC')::date, count(*) FROM audit_logs
WHERE at >= %s AND (
    (action = 'memories.search' AND (details -> 'memories') = '[]'::jsonb)
    OR (action = 'stories.search' AND (details -> 'stories') = '[]'::jsonb)
) GROUP BY 1
"""
TOKENS = "SELECT day, sum(tokens)::bigint FROM token_use WHERE day >= %s GROUP BY 1"  # by token_use_day

# By primary key: a UUIDv7 begins with its time, 48 bits of milliseconds. Only the newest are read.
MILLISECONDS = "('x' || left(translate({}::text, '-', ''), 12))::bit(48)::bigint"
FOUND_AFTER = f"""
SELECT width_bucket({MILLISECONDS.format("id")} - {MILLISECONDS.format("memory_id")}, %s::bigint[]), count(*)
FROM (SELECT id, memory_id FROM passages ORDER BY id DESC LIMIT %s) AS newest
WHERE memory_id IS NOT NULL GROUP BY 1
"""  # noqa: S608
NEWEST = 1000
WITHIN = {"1 second": 1, "10 seconds": 10, "1 minute": 60, "10 minutes": 600, "1 hour": 3600, "1 day": 86400}


@dataclass(frozen=True)
class Figure:
    """A number, what it counts, and where those rows are listed."""

    title: str
    icon: str
    value: str
    url: str


@dataclass(frozen=True)
class Kind:
    """The definition of a figure."""

    title: str
    icon: str
    model: type[models.Model]
    rows: Callable[[], models.QuerySet[Any]]
    matching: dict[str, str]


KINDS = (
    Kind("People", "group", User, lambda: User.objects.filter(is_staff=False), {"kind": "person"}),
    Kind("Conversations", "forum", Conversation, Conversation.objects.all, {}),
    Kind("Memories", "lock", Memory, Memory.objects.all, {}),
    Kind("Stories", "auto_stories", Story, Story.objects.all, {}),
)


def figures(request: HttpRequest) -> list[Figure]:
    """Return figures of the tables the viewer may see: exact where that is cheap, else the planner's estimate."""
    kinds = [kind for kind in KINDS if may_view(request, kind.model)]
    numbers = counts([kind.rows() for kind in kinds])
    large = [kind.model._meta.db_table for kind, number in zip(kinds, numbers, strict=True) if number >= WINDOW]
    believed = estimates(large) if large else {}
    return [figure(kind, number, believed) for kind, number in zip(kinds, numbers, strict=True)]


def figure(kind: Kind, counted: int, believed: dict[str, int]) -> Figure:
    """Return a figure with its number formatted."""
    value = f"{counted:,}" if counted < WINDOW else f"~{max(WINDOW, believed[kind.model._meta.db_table]):,}"
    return Figure(kind.title, kind.icon, value, list_url(kind.model, **kind.matching))


def may_view(request: HttpRequest, model: type[models.Model]) -> bool:
    """Return whether the viewer may see a table."""
    return bool(request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"))


def last_days() -> list[datetime]:
    """Return the beginnings of the last thirty days, and of tomorrow."""
    today = datetime.combine(timezone.now().date(), time.min, tzinfo=UTC)
    return [today - timedelta(days=DAYS - 1 - number) for number in range(DAYS + 1)]


def noted_by_day(statements: list[str], days: list[datetime]) -> list[list[int]]:
    """Run statements that give the numbers of days from the first on, in one round trip, and fill in the others."""
    asked = [(statement, [days[0]]) for statement in statements]
    found: list[dict[date, int]] = [dict(rows) for rows in execute_batch(*asked)]
    return [[int(numbers.get(day.date(), 0)) for day in days[:-1]] for numbers in found]


def found_after() -> tuple[list[str], list[int]]:
    """Count the newest passages by how long after their memory they were made: search finds it from then on."""
    [rows] = execute_batch((FOUND_AFTER, [[1000 * seconds for seconds in WITHIN.values()], NEWEST]))
    numbers: dict[int, int] = dict(rows)
    return [*WITHIN, "longer"], [int(numbers.get(number, 0)) for number in range(len(WITHIN) + 1)]


def queue_ages() -> tuple[list[str], list[int]]:
    """Return for each class of work how many seconds its oldest job that is due has waited."""
    found = read_states()
    return [state.name for state in found], [round(state.waits or 0) for state in found]


def made_by_day(tables: list[type[models.Model]], days: list[datetime]) -> list[list[int]]:
    """Count the rows of each table made on each day, by primary key: a UUIDv7 contains its time. Staff do not count."""
    quote = connection.ops.quote_name
    selects = ", ".join(
        f"(SELECT count(*) FROM {quote(model._meta.db_table)} WHERE id >= lower AND id < upper"  # noqa: S608
        f"{' AND NOT is_staff' if model is User else ''})"
        for model in tables
    )
    if not tables:
        return []
    bounds = [first_uuid7_at(day) for day in days]
    if distributed():
        return [made_on_shards(model, bounds) for model in tables]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {selects} FROM unnest(%s::uuid[], %s::uuid[]) WITH ORDINALITY AS day(lower, upper, number) "  # noqa: S608
            "ORDER BY number",
            [bounds[:-1], bounds[1:]],
        )
        return [list(column) for column in zip(*cursor.fetchall(), strict=True)]


def made_on_shards(model: type[models.Model], bounds: list[Any]) -> list[int]:
    """Count the rows of one distributed table by day; each shard counts its own."""
    counted = {f"day{number}": models.Count("pk", filter=between(*day)) for number, day in enumerate(pairwise(bounds))}
    manager: Any = model._default_manager
    rows = manager.filter(is_staff=False) if model is User else manager
    return list(rows.filter(between(bounds[0], bounds[-1])).aggregate(**counted).values())


def between(first: Any, last: Any) -> models.Q:
    """Return the condition for ids from `first` up to, but excluding, `last`."""
    return models.Q(pk__gte=first, pk__lt=last)
