"""Monthly partitions of the audit log, created ahead of time.

A row whose month has no partition, such as one from a clock set far back, goes to the default partition, where the
same guarantees hold.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

MONTHS_AHEAD = 3
DEFAULT = "audit_logs_default"
# Creating or dropping a partition briefly locks the whole table: give up and retry later rather than block writers.
PATIENCE = "SET LOCAL lock_timeout = '2s'"


def partition_name(month: date) -> str:
    """Return a name such as audit_logs_2026_11."""
    return f"audit_logs_{month:%Y_%m}"


def next_month(month: date) -> date:
    """Return the first day of the next month."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def later(month: date, months: int) -> date:
    """Return the first day of the month that is `months` later."""
    count = month.year * 12 + month.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def this_month() -> date:
    """Return the first day of this month in UTC, like the partitions' bounds."""
    return datetime.now(UTC).date().replace(day=1)


def months_kept(cursor: Any) -> list[date]:
    """Return the months that have a partition, the oldest first."""
    cursor.execute(
        "SELECT to_date(right(relname, 7), 'YYYY_MM') FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
        "WHERE inhparent = 'audit_logs'::regclass AND relname ~ '_[0-9]{4}_[0-9]{2}$' ORDER BY relname"
    )
    return [month for (month,) in cursor.fetchall()]


def ensure_partitions(cursor: Any, *, today: date | None = None, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Create the partitions of this month and the next `ahead`, as the table owner. Return the new names.

    A month with rows in the default partition gets none: rows cannot be moved.
    """
    first = (today or this_month()).replace(day=1)
    made = []
    for month in (later(first, number) for number in range(ahead + 1)):
        name = partition_name(month)
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0] is None and not in_default(cursor, month):
            bounds = f"FROM ('{month}T00:00Z') TO ('{next_month(month)}T00:00Z')"
            make_partition(cursor, name, f"FOR VALUES {bounds}")
            made.append(name)
    return made


def in_default(cursor: Any, month: date) -> bool:
    """Return whether the default partition has rows of this month. As the table owner, lift row-level security."""
    cursor.execute("SELECT to_regclass(%s)", [DEFAULT])
    if cursor.fetchone()[0] is None:
        return False
    cursor.execute(f"ALTER TABLE {DEFAULT} NO FORCE ROW LEVEL SECURITY")
    cursor.execute(
        f"SELECT EXISTS (SELECT FROM {DEFAULT} WHERE at >= %s AND at < %s)",  # noqa: S608
        [f"{month}T00:00Z", f"{next_month(month)}T00:00Z"],
    )
    found = bool(cursor.fetchone()[0])
    cursor.execute(f"ALTER TABLE {DEFAULT} FORCE ROW LEVEL SECURITY")
    return found


def make_partition(cursor: Any, name: str, values: str) -> None:
    """Create a partition closed to direct access: no privileges, row-level security without a policy, no TRUNCATE."""
    for statement in (
        f"CREATE TABLE {name} PARTITION OF audit_logs {values}",
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
        f"CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {name} EXECUTE FUNCTION audit_refuse()",
    ):
        cursor.execute(statement)
