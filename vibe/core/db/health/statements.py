"""The statements that took the most time, from pg_stat_statements, with every value masked."""

from __future__ import annotations

import re
from typing import Any

from vibe.core.db.health import units
from vibe.core.db.health.observing import Looking, monitor_grant_sql
from vibe.core.db.health.reading import Chapter, Reading, Verdict, verdict_of

TITLE = "Slowest statements"
ABOUT = (
    "By the time they took altogether. A slow mean asks for an index or fewer rows (EXPLAIN the statement); "
    "a fast one that is called all the time asks for fewer calls."
)
SHOWN, LENGTH = 10, 400
SLOW, VERY_SLOW = 0.1, 1.0  # seconds a call

# `pg_stat_statements.max` is a setting only where the module is loaded, and everybody may read it.
ABLE = """
    SELECT current_setting('pg_stat_statements.max', true) IS NOT NULL,
        (SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
         WHERE extname = 'pg_stat_statements'),
        pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), quote_ident(current_database())
"""
SLOWEST = """
    SELECT query, calls, total_exec_time / 1000, mean_exec_time / 1000, rows,
        total_exec_time / nullif(sum(total_exec_time) OVER (), 0)
    FROM {schema}.pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY total_exec_time DESC LIMIT %s
"""
LOAD = (
    "pg_stat_statements is not loaded. As superuser: ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'; "
    "(after what is there already, parted by commas), then restart the server."
)

# The forms of a literal, in the order in which PostgreSQL would read them; names in double quotes are kept.
VALUES = re.compile(
    r"""
    (?P<name>"(?:[^"]|"")*(?:"|$) | \$\d+ | [A-Za-z_\x80-\U0010ffff][\w$]*(?!['\w]))
    | (?P<comment>--[^\n]* | /\*.*?(?:\*/|$))
    | \b[eE]'(?:[^'\\]|\\.|'')*(?:'|$)
    | (?:\b[uU]&|\b[bBxXnN])?'(?:[^']|'')*(?:'|$)
    | \$(?P<tag>[A-Za-z_\x80-\U0010ffff]\w*|)\$.*?(?:\$(?P=tag)\$|$)
    | (?:\d[\w.]*|\.\d[\w.]*)(?:(?<=[eE])[+-]\d+)?
    """,
    re.VERBOSE | re.DOTALL,
)


def slowest() -> Looking:
    """Return the chapter on slow statements; if none can be seen, one reading with what to type."""
    [[able]] = yield [(ABLE, ())]
    if hint := missing(*able):
        return Chapter(TITLE, ABOUT, (Reading("pg_stat_statements", "not available", Verdict.UNKNOWN, hint),))
    [rows] = yield [(SLOWEST.format(schema=able[1]), [SHOWN])]
    return Chapter(TITLE, ABOUT, tuple(statement_row(row) for row in rows), "No statement was counted yet.")


def missing(loaded: bool, schema: str | None, allowed: bool, database: str) -> str:
    """Return what to type before statements can be seen; empty if they can."""
    if not loaded:
        return LOAD
    if not schema:
        return f"As superuser, in database {database}: CREATE EXTENSION pg_stat_statements;"
    return "" if allowed else monitor_grant_sql()


def statement_row(row: tuple[Any, ...]) -> Reading:
    """Return one statement, from a row of SLOWEST."""
    query, calls, total, mean, rows, part = row
    value = f"{units.share(part or 0)} of all time, {calls:,} calls of {units.time(mean)}, {rows:,} rows"
    verdict = verdict_of(mean, watch=SLOW, bad=VERY_SLOW)
    advice = "EXPLAIN it: does it read more rows than it gives?" if verdict else ""
    return Reading(masked(query)[:LENGTH], value, verdict, advice, total)


def masked(statement: str) -> str:
    """Return a statement without its values.

    PostgreSQL writes $1 for most constants, but not for those of a statement whose entry it had just evicted, nor,
    before version 18, for those of SET.
    """
    kept = VALUES.sub(lambda found: found["name"] or (" " if found["comment"] else "?"), statement)
    return " ".join(kept.split())
