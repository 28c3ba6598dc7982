"""Monthly partitions of the trail: made ahead of time, so that a row always finds its month."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

MONTHS_AHEAD = 3


def partition_name(month: date) -> str:
    """Such as audit_logs_2026_11."""
    return f"audit_logs_{month:%Y_%m}"


def next_month(month: date) -> date:
    """The first day of the month after."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def ensure_partitions(cursor: Any, *, today: date | None = None, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Make the partitions of this month and of `ahead` more, as the owner of the table. Gives the names of new ones."""
    month = (today or datetime.now(UTC).date()).replace(day=1)
    made = []
    for _ in range(ahead + 1):
        name = partition_name(month)
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0] is None:
            bounds = f"FROM ('{month}T00:00Z') TO ('{next_month(month)}T00:00Z')"
            make_partition(cursor, name, f"FOR VALUES {bounds}")
            made.append(name)
        month = next_month(month)
    return made


def make_partition(cursor: Any, name: str, values: str) -> None:
    """One partition, closed to direct access: no privileges, row-level security without a policy, no TRUNCATE."""
    for statement in (
        f"CREATE TABLE {name} PARTITION OF audit_logs {values}",
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
        f"CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {name} EXECUTE FUNCTION audit_refuse()",
    ):
        cursor.execute(statement)
