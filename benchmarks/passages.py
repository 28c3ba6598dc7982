"""What it costs to write passages: one person's at a time, in bulk, and for a person whose set is in the graph.

    python -m benchmarks.passages [--rows N] [--json]

`single`: statements of one message's passage each, into the product's table (partial HNSW, the person outside the
graph) and into the same table without any HNSW index. `bulk`: the product's statement of many rows against COPY of the
same rows into a table with a btree index alone. `large`: single statements for a person in the graph.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import numpy as np
from pgvector import HalfVector

from benchmarks.crowd import START, WORDS, Space, draw_numbers
from benchmarks.harness import show, throw_away_database
from vibe.core.db.configured import embedded_server

STORY, ROUNDS = 25, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--json", action="store_true", help="accepted for likeness; the output is JSON in any case")
    options = parser.parse_args()
    with throw_away_database():
        show(measure(options.rows))


def measure(size: int) -> dict[str, Any]:
    """Rows a second in each way. What is compared is run in turns, and the best of each counts."""

    with embedded_server().connect() as server:
        server.execute("CREATE TABLE without_graph (LIKE passages INCLUDING ALL)")
        graphs = "SELECT indexname FROM pg_indexes WHERE tablename = 'without_graph' AND indexdef LIKE '%hnsw%'"
        for (name,) in server.execute(graphs).fetchall():
            server.execute(f"DROP INDEX {name}")
        server.execute("CREATE TABLE by_copy (LIKE passages INCLUDING DEFAULTS, PRIMARY KEY (id))")
        server.execute("GRANT ALL ON without_graph TO vibe_user")
        make_graph(server, size)
        # Rows of stories that do not exist: the checks of references would be measured with one side alone.
        for name in ("passages_conversation", "passages_story", "passages_memory"):
            server.execute(f"ALTER TABLE passages DROP CONSTRAINT {name}")
        small, large = rows(size, in_graph=False), rows(size // 8, in_graph=True)
        ways: dict[str, tuple[int, Callable[[], Any]]] = {
            "single": (size // 4, lambda: one_by_one("passages", small[: size // 4])),
            "single_without_graph": (size // 4, lambda: one_by_one("without_graph", small[: size // 4])),
            "bulk": (size, lambda: in_bulk("passages", small)),
            "copy_btree": (size, lambda: by_copy(server, small)),
            "large": (len(large), lambda: one_by_one("passages", large)),
        }
        best = dict.fromkeys(ways, 0.0)
        for _ in range(ROUNDS):
            for way, (count, run) in ways.items():
                start = time.perf_counter()
                run()
                best[way] = max(best[way], count / (time.perf_counter() - start))
                server.execute("DELETE FROM passages WHERE user_id = %s", [OWNER])
                server.execute("TRUNCATE without_graph, by_copy")
    return {
        "rows": size,
        "rows_per_second": best,
        "single_to_without_graph": best["single"] / best["single_without_graph"],
        "bulk_to_copy": best["bulk"] / best["copy_btree"],
        "large_to_single": best["large"] / best["single"],
    }


def make_graph(server: Any, size: int) -> None:
    """Somebody else's rows in the graph, so that it has something to be inserted into."""
    from vibe.core.db.schema.owned import uuid7

    server.execute("SET session_replication_role = replica; SET maintenance_work_mem = '1GB'")
    by_copy(server, rows(2 * size, in_graph=True), table="passages", owner=uuid7())


OWNER = UUID("019a0000-0000-7000-8000-000000000001")
Row = tuple[Any, ...]
COLUMNS = {
    "id": "uuid",
    "user_id": "uuid",
    "conversation_id": "uuid",
    "story_id": "uuid",
    "memory_id": "uuid",
    "memory_revision": "int4",
    "part": "int2",
    "role": "text",
    "speaker": "int8",
    "words": "text::bigint[]",
    "length": "int4",
    "occurred_at": "timestamptz",
    "embedding": "halfvec",
    "model": "int2",
    "form": "int2",
    "in_graph": "bool",
}


def rows(size: int, *, in_graph: bool) -> list[Row]:
    """Passages as Python values: words as a list, the vector as an array; ids are drawn when written."""
    vectors, worded = Space(3).messages(size), draw_numbers(np.random.default_rng(4), size)
    return [
        (1, 7, sorted({int(word) + 10 for word in worded[at]}), WORDS, START, vectors[at], in_graph)
        for at in range(size)
    ]


def values(row: Row, owner: Any) -> list[Any]:
    from vibe.core.db.schema.owned import uuid7

    revision, speaker, words, length, moment, vector, in_graph = row
    return [
        uuid7(),
        owner,
        uuid7(),
        uuid7(),
        uuid7(),
        revision,
        0,
        "user",
        speaker,
        words,
        length,
        moment,
        vector,
        0,
        0,
        in_graph,
    ]


def in_bulk(table: str, given: list[Row]) -> None:
    """As stories.index.entries writes memories: those of 40 stories of STORY in one statement."""
    from stories.text.passages import array_text
    from vibe.core.db.scopes import as_user
    from vibe.core.db.statements import bulk

    with as_user(OWNER):
        for start in range(0, len(given), 40 * STORY):
            taken = [values(row, OWNER) for row in given[start : start + 40 * STORY]]
            columns = dict(zip(COLUMNS, zip(*taken, strict=True), strict=True))
            columns["words"] = tuple(map(array_text, columns["words"]))
            columns["embedding"] = tuple(map(HalfVector, columns["embedding"]))
            bulk.insert(table, {name: (kind, columns[name]) for name, kind in COLUMNS.items()})


def one_by_one(table: str, given: list[Row]) -> None:
    """A statement a row, a transaction for all, so that the disk's flushes do not drown what is compared."""
    from stories.text.passages import array_text
    from vibe.core.db.scopes import as_user
    from vibe.core.db.statements import bulk

    with as_user(OWNER):
        for row in given:
            one = dict(zip(COLUMNS, values(row, OWNER), strict=True))
            one["words"] = array_text(one["words"])
            one["embedding"] = HalfVector(one["embedding"])
            bulk.insert(table, {name: (kind, [one[name]]) for name, kind in COLUMNS.items()})


def by_copy(server: Any, given: list[Row], table: str = "by_copy", owner: Any = None) -> None:
    """COPY, as text, of the same values."""
    from stories.text.passages import array_text

    with server.cursor().copy(f"COPY {table} ({', '.join(COLUMNS)}) FROM STDIN") as target:
        for row in given:
            one = dict(zip(COLUMNS, values(row, owner or OWNER), strict=True))
            one["words"] = array_text(one["words"])
            one["embedding"] = str(one["embedding"].tolist())
            target.write_row(list(one.values()))


if __name__ == "__main__":
    main()
