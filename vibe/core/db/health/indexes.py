"""Indexes that are broken, duplicated, never used, or missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from vibe.core.db.health import units
from vibe.core.db.health.observing import Looking
from vibe.core.db.health.reading import Chapter, Reading, Verdict

TITLE = "Indexes"
ABOUT = (
    "A broken index is not read but still written, a doubled or unused one costs every write for nothing, and a "
    "reference without one makes deleting read whole tables."
)
ALL = """
    SELECT c.relname, i.indexrelid::regclass::text, pg_relation_size(i.indexrelid), s.idx_scan, i.indisvalid,
        i.indisunique OR i.indisexclusion OR EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid),
        i.indkey::int2[], a.amname,
        concat_ws('|', i.indclass, i.indcollation, i.indoption, i.indexprs::text, i.indpred::text)
    FROM pg_index i JOIN pg_stat_user_indexes s USING (indexrelid)
    JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am a ON a.oid = x.relam
    WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = i.indexrelid)
    ORDER BY 3 DESC
"""
UNREFERENCED = """
    SELECT f.conrelid::regclass::text, f.conname, pg_relation_size(f.conrelid) FROM pg_constraint f
    WHERE f.contype = 'f' AND NOT EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = f.conrelid AND i.indisvalid AND i.indpred IS NULL
        AND (i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey)
    AND pg_relation_size(f.conrelid) > %s
    ORDER BY 3 DESC
"""
SINCE = """
    SELECT extract(epoch FROM now() - coalesce(
        (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()), pg_postmaster_start_time()))
"""
WORTH_IT = 1024 * 1024  # bytes: smaller ones cost nothing
SHOWN = 20
LONG_ENOUGH = 14 * units.DAY  # age of statistics, before "never" means anything


@dataclass(frozen=True, slots=True)
class Index:
    """One index in the catalog. `kind` is everything but the columns that two must share to be the same."""

    table: str
    name: str
    size: int
    scans: int
    valid: bool
    needed: bool  # it enforces a constraint, so that it may well never be read
    columns: tuple[int, ...]
    method: str
    kind: str

    def does_for(self, other: Index) -> bool:
        """Return whether this one makes the other redundant: the same columns in the same way."""
        same = all(getattr(self, part) == getattr(other, part) for part in ("table", "method", "columns", "kind"))
        return same and self.name != other.name and (self.needed, other.name) > (other.needed, self.name)


def indexes() -> Looking:
    """Return the chapter on indexes: a summary, and what is wrong."""
    [[since]], every, lacking = yield [(SINCE, ()), (ALL, ()), (UNREFERENCED, [WORTH_IT])]
    found = [Index(*map(fixed, row)) for row in every]
    wrong = (*broken(found), *doubled(found), *unused(found, float(since)), *unreferenced(lacking))
    total = sum(index.size for index in found)
    summary = Reading("All indexes", f"{len(found)}, {units.size(total)} altogether", number=float(total))
    return Chapter(TITLE, ABOUT, (summary, *wrong[:SHOWN]))


def fixed(value: Any) -> Any:
    """Return a value that can be compared and hashed."""
    return tuple(value) if isinstance(value, list) else value


def broken(found: Iterable[Index]) -> Iterator[Reading]:
    """Yield a reading for each index that a failed CREATE INDEX CONCURRENTLY left."""
    for index in found:
        if not index.valid:
            advice = f"If none is being built now: REINDEX INDEX CONCURRENTLY {index.name};"
            yield Reading(index.name, f"broken, {units.size(index.size)}", Verdict.BAD, advice, float(index.size))


def doubled(found: list[Index]) -> Iterator[Reading]:
    """Yield a reading for each index that another makes redundant."""
    for index in found:
        twin = next((other for other in found if other.valid and other.does_for(index)), None)
        if twin and index.valid:
            advice = f"Take it out of the model, or: DROP INDEX CONCURRENTLY {index.name};"
            value = f"the same as {twin.name}, {units.size(index.size)}"
            yield Reading(index.name, value, Verdict.WATCH, advice, float(index.size))


def unused(found: Iterable[Index], since: float) -> Iterator[Reading]:
    """Yield a reading for each index that was never read; a verdict only once statistics are old enough."""
    for index in found:
        if index.scans or index.needed or index.size < WORTH_IT:
            continue
        value = f"not read in {units.time(since)}, {units.size(index.size)}"
        if since < LONG_ENOUGH:
            advice, verdict = "Statistics are too young to judge it.", Verdict.OK
        else:
            advice = "If no replica reads it either, take it out of the model."
            verdict = Verdict.WATCH
        yield Reading(index.name, value, verdict, advice, float(index.size))


def unreferenced(rows: Iterable[tuple[str, str, int]]) -> Iterator[Reading]:
    """Yield a reading for each foreign key without an index on its own columns."""
    for table, name, size in rows:
        advice = f"Deleting what it refers to reads {table} from end to end: add an index that begins with its columns."
        yield Reading(name, f"missing on {table}, {units.size(size)}", Verdict.WATCH, advice, float(size))
