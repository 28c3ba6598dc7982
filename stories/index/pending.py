"""Memories that search does not find by all they say yet, and the jobs that see to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from procrastinate.contrib.django import app

from stories.models import PendingMemory
from vibe.core.db.job_classes.classes import IMPORTS, WAITED
from vibe.core.db.jobs import start_jobs
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk as rows
from vibe.core.db.statements.batching import Statement

INDEX_ADDED: Final = "stories.index_added"
"""The task for what was said just now and is more than a request indexes."""
INDEX_IMPORTED: Final = "stories.index_imported"
COUNT: Final = "SELECT count(*) FROM pending_memories WHERE user_id = %s"


def make_pending(user_id: UUID, memory_ids: Iterable[UUID], *, bulk: bool = False) -> None:
    """Note memories as not fully in the index, and start a job for them with the transaction."""
    if note_pending(user_id, memory_ids, bulk=bulk):
        start_indexing(user_id, bulk=bulk)


def note_pending(user_id: UUID, memory_ids: Iterable[UUID], *, bulk: bool) -> bool:
    """Note memories as not fully in the index, and return whether there were any."""
    wanted = list(memory_ids)
    if wanted:
        rows.insert(
            PendingMemory._meta.db_table,
            {"id": ("uuid", [uuid7() for _ in wanted]), "memory_id": ("uuid", wanted)},
            same={"user_id": ("uuid", user_id), "bulk": ("bool", bulk)},
            tail="ON CONFLICT (user_id, memory_id) DO NOTHING",
            later=True,
        )
    return bool(wanted)


def start_indexing(user_id: UUID, *, bulk: bool) -> None:
    """Start a job that indexes what is pending of a person; jobs of one person run one after the other."""
    name, queue = (INDEX_IMPORTED, IMPORTS) if bulk else (INDEX_ADDED, WAITED)
    start_jobs(app.configure_task(name, queue=queue, lock=f"{name}:{user_id}"), {"user_id": str(user_id)})


def catch_up(user_id: UUID) -> None:
    """Start the jobs for what is pending of a person whom jobs passed over."""
    with as_user(user_id):
        for bulk in sorted(set(PendingMemory.objects.of(user_id).values_list("bulk", flat=True))):
            start_indexing(user_id, bulk=bulk)


def count_pending(user_id: UUID) -> Statement:
    """Return the statement that counts a person's pending memories."""
    return COUNT, [user_id]
