"""Bytes a message, tables and indexes, when everything is built: half in one conversation, half in short ones.

And what all processes of the product worked for it, after the import itself.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from benchmarks.live import grow
from benchmarks.live.options import Options
from benchmarks.live.running import Cluster, Running, running
from benchmarks.live.texts import SESSION, conversation, said

SIZES = """
SELECT coalesce(parent.relname, c.relname), sum(pg_table_size(c.oid)), sum(pg_indexes_size(c.oid))
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = i.inhparent
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1
"""
NOT_OF_MESSAGES = ("audit_", "procrastinate_", "django_", "axes_", "auth_")
"""The audit log grows by requests, not by messages; jobs are gone when they are done."""
Sizes = dict[str, tuple[int, int]]


def measure(cluster: Cluster, options: Options) -> dict[str, Any]:
    with running(cluster) as side:
        grow.warm(side, options)
        before, source, half = sizes(side), said(options.data), options.stored // 2
        lines = conversation("storage", "long", list(islice(source, half)))
        for number in range(half // SESSION):
            lines += conversation("storage", f"short-{number}", list(islice(source, SESSION)))
        count = sum(len(line["messages"]) for line in lines)
        text = sum(len(message["text"].encode()) for line in lines for message in line["messages"])
        with side.counted() as building:
            side.bring(lines)
            settled = side.settle()
        after = sizes(side)
    tables = {
        name: {"table": (table - before[name][0]) / count, "indexes": (index - before[name][1]) / count}
        for name, (table, index) in sorted(after.items())
        if not name.startswith(NOT_OF_MESSAGES) and (table, index) != before[name]
    }
    return {
        "messages": count,
        "text_bytes_a_message": text / count,
        "bytes_a_message": sum(each["table"] + each["indexes"] for each in tables.values()),
        "of_it_indexes": sum(each["indexes"] for each in tables.values()),
        "tables": tables,
        "building_cpu_ms_a_message": {kind: 1_000 * seconds / count for kind, seconds in building.items()},
        "settled": settled,
    }


def sizes(side: Running) -> Sizes:
    """Bytes of each table and of its indexes, without what was deleted."""
    side.server.execute("VACUUM FULL")
    side.server.execute("ANALYZE")
    return {name: (int(table), int(indexes)) for name, table, indexes in side.server.execute(SIZES)}
