"""A comparison of the catalog with the models: every table, view, function, trigger, policy, grant and role.

Migrations create the policies; this checks that they are still there. Somebody may have dropped one by hand, restored a
dump without it, or added a table without one.
"""

from __future__ import annotations

from django.db import connection, transaction

from vibe.core.db.schema.catalog_lint.comparing import (
    compare_functions,
    compare_policies,
    compare_privileges,
    compare_triggers,
)
from vibe.core.db.schema.catalog_lint.expected import Finding
from vibe.core.db.schema.catalog_lint.rules import RULES, broken_rules

# Names resolve to the server's own functions and types, and are printed alike, whatever the session's search path.
OWN_NAMES = "SET LOCAL search_path = pg_catalog, public"

__all__ = ["RULES", "Finding", "findings"]


def findings() -> list[Finding]:
    """Return every difference from what the models declare. Runs as the login role."""
    checks = (broken_rules, compare_policies, compare_privileges, compare_triggers, compare_functions)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(OWN_NAMES)
        found = sorted({each for check in checks for each in check(cursor)})
        transaction.set_rollback(True)
    return found
