"""Values of erased people in the planner's statistics.

ANALYZE copies values of each column into pg_statistic, where they outlive their rows. Analyzing a table once more
replaces the copies by values of rows that are still there. Sealed columns are never sampled: see
vibe.core.db.schema.statistics.
"""

from __future__ import annotations

from typing import Final

from django.db import connection

from accounts.erasure.deleting import sign_in_tables, tables_to_empty
from accounts.models import User
from vibe.core.db.scopes import as_system
from vibe.core.db.statements import bulk

OUTDATED: Final = """
SELECT relname FROM pg_stat_user_tables
WHERE schemaname = 'public' AND relname = ANY(%b)
AND greatest(last_analyze, last_autoanalyze, '-infinity') < (SELECT max(finished_at) FROM erasures)
"""
NOTED_BESIDE: Final = ("django_admin_log", "procrastinate_jobs", "rate_limits")


def forget_samples() -> list[str]:
    """Analyze the tables of people's values that were not since the last erasure. Return their names.

    It samples each, so its cost does not grow with them. To be called outside of scopes: only the owner analyzes.
    """
    tables = {User._meta.db_table, *NOTED_BESIDE, *(table for table, _ in tables_to_empty())}
    tables |= {model._meta.db_table for model in sign_in_tables()}
    with as_system():
        outdated = sorted(name for (name,) in bulk.run(OUTDATED, [sorted(tables)]))
    if outdated:
        names = ", ".join(map(connection.ops.quote_name, outdated))
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {names}")
    return outdated
