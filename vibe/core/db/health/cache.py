"""Cache hit rates, and how often large tables are read by an index."""

from __future__ import annotations

from vibe.core.db.health import units
from vibe.core.db.health.observing import Looking
from vibe.core.db.health.reading import Chapter, Reading, Verdict, verdict_of

TITLE = "Cache and index use"
ABOUT = (
    "What a busy server reads should be in memory, and large tables should be read by an index. "
    "More memory to shared_buffers (a quarter of the machine's) helps the first, an index the second."
)
HITS = """
    SELECT coalesce(sum(heap_blks_hit), 0), coalesce(sum(heap_blks_hit + heap_blks_read), 0),
        coalesce(sum(idx_blks_hit), 0), coalesce(sum(idx_blks_hit + idx_blks_read), 0)
    FROM pg_statio_user_tables
"""
SCANS = """
    SELECT relname, seq_scan, idx_scan, n_live_tup FROM pg_stat_user_tables
    WHERE n_live_tup > %s AND seq_scan + coalesce(idx_scan, 0) > %s
    ORDER BY seq_scan::float * n_live_tup DESC LIMIT %s
"""
ENOUGH = 10_000  # blocks read, before a rate means anything
LARGE, OFTEN, SHOWN = 10_000, 100, 5


def cache() -> Looking:
    """Return the chapter on cache and index use."""
    [hits], tables = yield [(HITS, ()), (SCANS, [LARGE, OFTEN, SHOWN])]
    heap_hit, heap, index_hit, index = map(int, hits)
    scans = tuple(by_index(*row) for row in tables)
    return Chapter(TITLE, ABOUT, (rate("Tables", heap_hit, heap), rate("Indexes", index_hit, index), *scans))


def rate(name: str, hit: int, read: int) -> Reading:
    """Return how much of what was read was found in memory."""
    part = hit / read if read else 1.0
    value = f"{units.share(part)} found in memory, of {read:,} blocks"
    if read < ENOUGH:
        return Reading(name, f"{value}: too few to say", number=part)
    verdict = verdict_of(part, watch=0.99, bad=0.9)
    advice = "Give shared_buffers more memory, or read less at once." if verdict else ""
    return Reading(name, value, verdict, advice, part)


def by_index(table: str, sequential: int, indexed: int | None, rows: int) -> Reading:
    """Return how often a large table was read by an index."""
    part = (indexed or 0) / ((indexed or 0) + sequential)
    verdict = Verdict.OK if part >= 0.9 else Verdict.WATCH
    advice = f"{table} is read from end to end: find which statement does (above) and what index it lacks."
    value = f"{units.share(part)} by index, {sequential:,} times from end to end, {rows:,} rows"
    return Reading(table, value, verdict, advice if verdict else "", part)
