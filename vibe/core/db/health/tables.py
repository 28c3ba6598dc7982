"""Tables and bloat: sizes, dead rows, and indexes that are much larger than their rows need."""

from __future__ import annotations

from typing import Any

from vibe.core.db.health import units
from vibe.core.db.health.observing import Looking
from vibe.core.db.health.reading import Chapter, Reading, Verdict, verdict_of

TITLE = "Tables and bloat"
ABOUT = (
    "The largest, with their indexes. Dead rows are room that VACUUM gives back to the table: many of them mean that "
    "autovacuum does not keep up, or that a long transaction holds it off."
)
# A partitioned table is the sum of its partitions.
LARGEST = """
    SELECT coalesce(root.relname, c.relname), sum(pg_total_relation_size(c.oid))::bigint,
        sum(pg_table_size(c.oid))::bigint, sum(s.n_live_tup)::bigint, sum(s.n_dead_tup)::bigint,
        extract(epoch FROM now() - max(greatest(s.last_vacuum, s.last_autovacuum)))::float
    FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
    LEFT JOIN pg_inherits ON inhrelid = c.oid LEFT JOIN pg_class root ON root.oid = inhparent
    GROUP BY 1 ORDER BY 2 DESC LIMIT %s
"""
# The pages that a btree over columns of fixed length needs can be computed: each row takes 8 bytes and its columns,
# rounded up to 8, and 4 bytes that point to it; 8,152 bytes of a page are free for them, and 9 in 10 filled.
BLOATED = """
    SELECT name, pages * 8192::bigint,
        greatest(0, 1 - (ceil(rows * (12 + ceil(width / 8.0) * 8) / (8152 * 0.9)) + 1) / pages)::float
    FROM (
        SELECT x.oid::regclass::text AS name, x.relpages AS pages, x.reltuples AS rows, sum(t.attlen) AS width
        FROM pg_class x JOIN pg_am a ON a.oid = x.relam AND a.amname = 'btree' JOIN pg_attribute t ON t.attrelid = x.oid
        JOIN pg_stat_user_indexes s ON s.indexrelid = x.oid
        WHERE x.relpages > %s AND x.reltuples >= 0
        GROUP BY x.oid HAVING bool_and(t.attlen > 0)
    ) AS reckoned ORDER BY 3 DESC, 1 LIMIT %s
"""
SHOWN, BLOAT_SHOWN, PAGES = 10, 5, 1280  # pages: 10 MB
MANY = 10_000  # dead rows, below which the share means nothing


def tables() -> Looking:
    """Return the chapter on tables and bloat."""
    largest, bloated = yield [(LARGEST, [SHOWN]), (BLOATED, [PAGES, BLOAT_SHOWN])]
    return Chapter(TITLE, ABOUT, (*map(table, largest), *(bloat(*row) for row in bloated)), "There are no tables.")


def table(row: tuple[Any, ...]) -> Reading:
    """Return one table with its partitions, from a row of LARGEST."""
    name, whole, heap, live, dead, vacuumed = row
    part = dead / (live + dead) if dead else 0.0
    verdict = verdict_of(part, watch=0.2, bad=0.5) if dead >= MANY else Verdict.OK
    advice = f"VACUUM (ANALYZE) {name}; and look for a long transaction below." if verdict else ""
    when = f"vacuumed {units.time(vacuumed)} ago" if vacuumed is not None else "not vacuumed yet"
    value = (
        f"{units.size(whole)}, of that indexes {units.size(whole - heap)}; about {live:,} rows, "
        f"{units.share(part)} dead, {when}"
    )
    return Reading(name, value, verdict, advice, float(whole))


def bloat(name: str, size: int, part: float) -> Reading:
    """Return how much of one index is empty."""
    verdict = verdict_of(part, watch=0.5, bad=0.8)
    advice = f"REINDEX INDEX CONCURRENTLY {name};" if verdict else ""
    return Reading(name, f"index of {units.size(size)}, about {units.share(part)} air", verdict, advice, part)
