"""A database on a real Citus cluster: filled while it is one machine's, then distributed, once for all tests here.

CITUS_DATABASE_URL names it, by the login role: the coordinator's, with workers added, the extensions citus and vector,
and nothing that is to be kept. docs/scaling.md says how to make one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.processes import PROJECT

SAMPLE = PROJECT / "memories" / "sample" / "conversations.jsonl"
QUESTION = "What is the secret ingredient of the mole negro?"
ASKER = "sample-teo"
# Everything of ours, and nothing that an extension brought.
EMPTY = """
DO $$ DECLARE one record; BEGIN
    SELECT string_agg(c.oid::regclass::text, ', ') AS names INTO one FROM pg_class c
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e');
    IF one.names IS NOT NULL THEN EXECUTE 'DROP TABLE ' || one.names || ' CASCADE'; END IF;
    FOR one IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', one.name); END LOOP;
    FOR one IN SELECT t.oid::regtype AS name FROM pg_type t WHERE typnamespace = 'public'::regnamespace
        AND typtype IN ('e', 'c')
        AND (typrelid = 0 OR EXISTS (SELECT FROM pg_class WHERE oid = typrelid AND relkind = 'c'))
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
    LOOP EXECUTE format('DROP TYPE IF EXISTS %s CASCADE', one.name); END LOOP;
    DROP SCHEMA IF EXISTS vibe_cluster CASCADE;
END $$
"""


@dataclass
class Cluster:
    """The database, and what was seen of it on the way."""

    url: str
    state: Path
    seen: dict[str, Any] = field(default_factory=dict)

    def run(self, *words: str) -> str:
        """A command of the project on it; what it printed."""
        environment = {
            **os.environ,
            "DATABASE_URL": self.url,
            "VIBE_STATE_DIR": str(self.state),
            "LOG_LEVEL": "WARNING",
        }
        done = subprocess.run(
            [sys.executable, *words], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def manage(self, *words: str) -> str:
        return self.run("manage.py", *words)

    def ask(self, statement: str, *, role: str = "none", **settings: str) -> list[tuple[Any, ...]]:
        """What a statement gives on the coordinator, as a role. Nothing of it stays."""
        with psycopg.connect(self.url) as session:
            session.execute("SET citus.propagate_set_commands = local")
            session.execute("SELECT set_config('role', %s, true)", [role])
            for name, value in settings.items():
                session.execute(f"SET LOCAL vibe.{name} = '{value}'")
            found = session.execute(statement).fetchall()  # type: ignore[arg-type]
            session.rollback()
        return found

    def answer(self) -> list[str]:
        """The stories that answer one question, best first."""
        found = json.loads(self.manage("search_stories", "--json", "--user", ASKER, QUESTION))
        return [story["id"] for story in (found["stories"] if isinstance(found, dict) else found)]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Migrated, imported, told, asked, planned and distributed."""
    url = os.environ.get("CITUS_DATABASE_URL", "")
    if not url:
        pytest.skip("CITUS_DATABASE_URL is not set: docs/scaling.md says how to make such a database")
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(EMPTY)
    made = Cluster(url, tmp_path_factory.mktemp("citus"))
    made.manage("migrate", "-v", "0")
    made.manage("import_conversations", str(SAMPLE))
    made.manage("build_stories")
    made.seen["answer"] = made.answer()
    made.seen["rows"] = counted(made)
    made.seen["plan"] = made.manage("distribute", "--plan")
    made.seen["applied"] = made.manage("distribute", "--apply")
    yield made


def counted(cluster: Cluster) -> dict[str, int]:
    """How many rows there are of what the system may count."""
    tables = "users", "user_keys", "conversations", "encrypted_memories", "stories", "passages", "entities", "erasures"
    return {table: cluster.ask(f"SELECT count(id) FROM {table}", role="vibe_system")[0][0] for table in tables}
