"""Statements of facts in the database: written in the transaction of their memory, read whole, opened together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from django.utils import timezone

from memories.roles import Role
from stories.facts.statements import BY_RULES, Statement, value_key
from stories.facts.timeline import Source, Stated, hidden_until
from stories.models import Fact
from vibe.core.crypto.seal import Sealed
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import Rows, execute_batch
from vibe.core.db.statements.batching import Statement as Query

Row = tuple[UUID | None, Statement]
"""A statement and the memory that it was read in."""
TABLE: Final = Fact._meta.db_table
MOST_READ: Final = 5_000
"""Statements of a person that are read, the newest first."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# When it was made comes as microseconds: a number is read in a tenth of the time that a timestamp is.
STATEMENTS: Final = (
    "SELECT f.id, f.statement, (extract(epoch FROM coalesce(m.occurred_at, f.created_at)) * 1000000)::int8, "
    "f.memory_id, m.conversation_id, m.role FROM facts f "
    "LEFT JOIN encrypted_memories m ON m.user_id = f.user_id AND m.id = f.memory_id WHERE f.user_id = %s "
    "AND (f.memory_id IS NULL OR (m.user_id = %s AND (m.expires_at IS NULL OR m.expires_at > statement_timestamp()) "
    "AND (%s::int8 IS NULL OR EXISTS (SELECT FROM conversations c WHERE c.user_id = m.user_id "
    "AND c.id = m.conversation_id AND c.companion_token = %s))))"
)
FACTS: Final = f"{STATEMENTS} ORDER BY f.created_at DESC, f.id DESC LIMIT {MOST_READ}"
IN_MEMORIES: Final = f"{STATEMENTS} AND f.memory_id = ANY(%s)"


def insert_statements(user_id: UUID, vault: Vault, rows: Sequence[Row], at: datetime | None = None) -> None:
    """Insert statements, each with its memory, as of now; a few go with the next statement of the transaction."""
    if not rows:
        return
    ids, now = [uuid7() for _ in rows], at or timezone.now()
    sealed = vault.seal_all(
        TABLE, "statement", ((row_id, 1, said.encode()) for row_id, (_, said) in zip(ids, rows, strict=True))
    )
    bulk.insert(
        TABLE,
        {
            "id": ("uuid", ids),
            "memory_id": ("uuid", [memory_id for memory_id, _ in rows]),
            "statement": ("bytea", [value.ciphertext for value in sealed]),
        },
        same={"user_id": ("uuid", user_id), "created_at": ("timestamptz", now)},
        later=True,
    )


def replace_statements(
    user_id: UUID,
    vault: Vault,
    memory_ids: Collection[UUID],
    rows: Sequence[tuple[UUID, Statement]],
    *,
    by_rules: bool = True,
) -> None:
    """Bring what the rules, or what processors, state of memories to these; what is there already keeps its id.

    What the person corrected or had forgotten is not written again. A processor may put it differently, so of the
    memories in which that was said it states nothing more of the same attribute.
    """
    [found] = execute_batch(read_statements(user_id))
    known = open_statements(vault, found)
    hidden = hidden_until(known)
    there = {
        (each.source.memory_id, each.statement): each.source.statement_id
        for each in known
        if (each.source.processor == BY_RULES) is by_rules
    }
    settled = {
        (memory_id, each.statement.subject, each.statement.attribute)
        for each in known
        for memory_id in ([] if by_rules else each.statement.memories)
    }
    gone = [
        row_id
        for (memory_id, said), row_id in there.items()
        if memory_id in memory_ids and (memory_id, said) not in rows
    ]
    if gone:
        Fact.objects.of(user_id).filter(pk__in=gone)._raw_delete("default")
    new = [
        (memory_id, said)
        for memory_id, said in rows
        if (memory_id, said) not in there
        and token_of(vault, said) not in hidden
        and (str(memory_id), said.subject, said.attribute) not in settled
    ]
    insert_statements(user_id, vault, new)


def read_statements(user_id: UUID, companion: int | None = None) -> Query:
    """Return what reads a person's statements, for batching; `open_statements` opens what it finds.

    With the blind token of a companion: those made to it, and the person's own words, which hold there too.
    """
    return FACTS, [user_id, user_id, companion, companion]


def statements_in(user_id: UUID, memory_ids: Sequence[UUID]) -> Query:
    """Return what reads the statements that these memories make, as `read_statements` does."""
    return IN_MEMORIES, [user_id, user_id, None, None, list(memory_ids)]


def open_statements(vault: Vault, rows: Rows) -> list[Stated]:
    """Open what `read_statements` found. Raises a SealError naming the first row that does not open."""
    texts = vault.open_all(TABLE, "statement", ((row[0], 1, Sealed(row[1])) for row in rows))
    token = partial(token_of, vault)
    return [
        Stated(
            Source(
                row_id,
                EPOCH + timedelta(microseconds=at),
                memory_id,
                conversation_id,
                role or Role.USER,
                said.start,
                said.end,
                said.processor,
            ),
            said,
            token,
        )
        for (row_id, _, at, memory_id, conversation_id, role), said in zip(
            rows, Statement.decode_all(texts), strict=True
        )
    ]


def token_of(vault: Vault, said: Statement) -> int:
    """Return the blind token of what a statement is about, by which a correction replaces it."""
    return vault.index.token("fact", f"{said.subject}\x1f{said.attribute}\x1f{value_key(said.value)}")
