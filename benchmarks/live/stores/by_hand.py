"""pgvector and PostgreSQL's text search by a careful hand: one table, half precision, HNSW and GIN, in the clear.

A search is one statement: the forty nearest vectors and the forty best by words, fused by reciprocal ranks. The rows
of a person are sorted exactly while they are few, and found by the shared HNSW index with iterative scan beyond that.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from pipe import run

from stories.processors.embedding import OfflineEmbedder

EXACT_UP_TO = 10_000
EACH = 40
TABLE = """
CREATE TABLE said (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text NOT NULL, text text NOT NULL,
    words tsvector GENERATED ALWAYS AS (to_tsvector('english', text)) STORED, vector halfvec(512) NOT NULL
);
CREATE INDEX ON said USING gin (words);
CREATE INDEX ON said (owner);
CREATE INDEX ON said USING hnsw (vector halfvec_cosine_ops)
"""
SEARCH = """
WITH nearest AS (
    SELECT id, row_number() OVER (ORDER BY distance) AS rank
    FROM (SELECT id, {distance} AS distance FROM said WHERE owner = %(owner)s ORDER BY 2 LIMIT %(each)s) AS v
), worded AS (
    SELECT id, row_number() OVER (ORDER BY fit DESC) AS rank
    FROM (
        SELECT id, ts_rank_cd(words, asked) AS fit FROM said, to_tsquery('english', %(words)s) AS asked
        WHERE owner = %(owner)s AND words @@ asked ORDER BY 2 DESC LIMIT %(each)s
    ) AS w
)
SELECT id, text FROM said JOIN (
    SELECT id, sum(1.0 / (10 + rank)) AS score
    FROM (SELECT * FROM nearest UNION ALL SELECT * FROM worded) AS both_ways GROUP BY id ORDER BY 2 DESC LIMIT %(limit)s
) AS fused USING (id) ORDER BY score DESC
"""
IN_GRAPH = "vector <=> %(vector)s"
EXACTLY = f"({IN_GRAPH}) + 0"  # no index gives that order


class ByHand:
    def __init__(self) -> None:
        self.model = OfflineEmbedder()
        self.connection = psycopg.connect(os.environ["PEER_DSN"], autocommit=True)
        register_vector(self.connection)
        self.connection.execute(TABLE)
        self.connection.execute("SET hnsw.iterative_scan = strict_order; SET hnsw.ef_search = 100")
        self.sizes: dict[str, int] = {}

    def fill(self, person: str, texts: Sequence[str]) -> None:
        with self.connection.cursor().copy("COPY said (owner, text, vector) FROM STDIN (FORMAT BINARY)") as rows:
            rows.set_types(["text", "text", "halfvec"])
            for text, vector in zip(texts, self.model.embed(texts), strict=True):
                rows.write_row((person, text, HalfVector(vector)))
        self.sizes[person] = self.sizes.get(person, 0) + len(texts)

    def add(self, person: str, text: str) -> str:
        [vector] = self.model.embed([text])
        self.sizes[person] = self.sizes.get(person, 0) + 1
        row = self.connection.execute(
            "INSERT INTO said (owner, text, vector) VALUES (%s, %s, %s) RETURNING id",
            [person, text, HalfVector(vector)],
        ).fetchone()
        assert row
        return str(row[0])

    def search(self, person: str, question: str, limit: int) -> list[str]:
        [vector] = self.model.embed([question])
        distance = EXACTLY if self.sizes.get(person, 0) <= EXACT_UP_TO else IN_GRAPH
        asked = {
            "owner": person,
            "vector": HalfVector(vector),
            "words": " | ".join(re.findall(r"\w+", question)),
            "each": EACH,
            "limit": limit,
        }
        return [str(row[0]) for row in self.connection.execute(SEARCH.format(distance=distance), asked)]


run(ByHand())
