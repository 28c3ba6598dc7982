"""A comparison of the triggers that refuse changes, and their functions, with the migrations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vibe.core.db.roles import ALL
from vibe.core.db.schema.catalog_lint.expected import FUNCTIONS, TRIGGERS
from vibe.core.db.schema.catalog_lint.finding import OURS, Finding

# A partition has its parent's triggers.
TABLES = """
SELECT c.oid::regclass::text, coalesce(inhparent, c.oid)::regclass::text FROM pg_class c
LEFT JOIN pg_inherits ON inhrelid = c.oid AND relispartition
WHERE $ours AND relkind IN ('r', 'p', 'v', 'f') AND relname NOT LIKE 'procrastinate\\_%%'
""".replace("$ours", OURS)
FOUND = """
SELECT c.oid::regclass::text, quote_ident(tgname), pg_get_triggerdef(t.oid, true)
FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
WHERE $ours AND NOT tgisinternal
AND NOT (relname LIKE 'procrastinate\\_%%' AND tgfoid::regproc::text LIKE 'procrastinate\\_%%')
""".replace("$ours", OURS)
BODIES = """
SELECT proname, encode(sha256(convert_to(prosrc, 'UTF8')), 'hex'), coalesce(array_to_string(proconfig, '; '), '')
FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = ANY(%s)
"""


def compare_triggers(cursor: Any) -> Iterator[Finding]:
    """Yield a finding for each trigger that is missing, changed, or made by no migration."""
    cursor.execute(TABLES, {"roles": list(ALL)})
    parents = dict(cursor.fetchall())
    wanted = {
        (table, name): definition.format(name=name, table=table)
        for table, parent in parents.items()
        for name, definition in TRIGGERS.get(parent, {}).items()
    }
    cursor.execute(FOUND, {"roles": list(ALL)})
    there = {(table, name): definition for table, name, definition in cursor.fetchall()}
    for (table, name), definition in wanted.items():
        found = there.pop((table, name), None)
        if found is None:
            if table != parents[table] and "FOR EACH ROW" in definition:
                continue  # a partition gets it from its parent
            yield Finding("the trigger is missing", f"{table}.{name}", f"{definition};")
        elif found != definition:
            anew = f"BEGIN; DROP TRIGGER {name} ON {table}; {definition}; COMMIT;"
            yield Finding("the trigger differs from its migration", f"{table}.{name}", anew)
    for table, name in there:
        yield Finding("a trigger that no migration makes", f"{table}.{name}", f"DROP TRIGGER {name} ON {table};")


def compare_functions(cursor: Any) -> Iterator[Finding]:
    """Yield a finding for each function of those triggers that is missing or has another body or settings."""
    cursor.execute(BODIES, [list(FUNCTIONS)])
    there = {name: (digest, settings) for name, digest, settings in cursor.fetchall()}
    for name, (migration, digest, settings) in FUNCTIONS.items():
        found = there.get(name)
        if found and found[0] == digest and found[1] != settings:
            anew = f"ALTER FUNCTION {name}() RESET ALL; ALTER FUNCTION {name}() SET {settings};"
            yield Finding("the trigger's function runs with other settings", f"{name}()", anew)
        elif found != (digest, settings):
            yield Finding(
                f"the trigger's function is not as migration {migration} makes it",
                f"{name}()",
                f"CREATE OR REPLACE FUNCTION {name}() ... as {migration.replace('.', '/migrations/')}.py has it, then "
                f"ALTER FUNCTION {name}() SET {settings};",
            )
