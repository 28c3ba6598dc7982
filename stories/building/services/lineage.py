"""Proves that nothing outlives what it was made of: stories, passages, facts, names, counts against the memories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from memories.models import Memory
from stories.entities.services import BORNE
from stories.models import Entity, Story
from stories.sealed_story import open_draft
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that should not be there, or is not as it should be; ids only."""

    what: str
    row: str


@dataclass(slots=True)
class Report:
    """What was found of one person. A story that waits to be built is no fault: it is behind, not false."""

    stories: int = 0
    waiting: list[UUID] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


# Each gives the ids of rows that are at fault; the person's id is the one parameter, given twice.
FAULTS: dict[str, str] = {
    "passage without its memory": (
        "SELECT id FROM passages p WHERE user_id = %b AND memory_id IS NOT NULL AND NOT EXISTS "
        "(SELECT FROM encrypted_memories m WHERE m.user_id = %b AND m.id = p.memory_id)"
    ),
    "passage of what a memory said before": (
        "SELECT p.id FROM passages p JOIN encrypted_memories m ON m.user_id = p.user_id AND m.id = p.memory_id "
        "WHERE p.user_id = %b AND m.user_id = %b AND m.revision <> p.memory_revision"
    ),
    "passage in another conversation than its memory": (
        "SELECT p.id FROM passages p JOIN encrypted_memories m ON m.user_id = p.user_id AND m.id = p.memory_id "
        "WHERE p.user_id = %b AND m.user_id = %b AND p.conversation_id <> m.conversation_id"
    ),
    "passage in the story of another conversation": (
        "SELECT p.id FROM passages p JOIN stories s ON s.user_id = p.user_id AND s.id = p.story_id "
        "WHERE p.user_id = %b AND s.user_id = %b AND s.conversation_id <> p.conversation_id"
    ),
    "vector made with a memory that is gone": (
        "SELECT id FROM passages p WHERE user_id = %b AND context IS NOT NULL AND NOT EXISTS "
        "(SELECT FROM encrypted_memories m WHERE m.user_id = %b AND m.id = p.context)"
    ),
    "vector of another model that no job will make again": (
        "SELECT p.id FROM passages p JOIN search_sets t ON t.user_id = p.user_id WHERE p.user_id = %b "
        "AND t.user_id = %b AND p.model <> t.model AND p.length > 0 AND NOT EXISTS "
        "(SELECT FROM pending_memories q WHERE q.user_id = p.user_id AND q.memory_id = p.memory_id)"
    ),
    "memory that is neither indexed nor pending": (
        "SELECT m.id FROM encrypted_memories m WHERE m.user_id = %b AND NOT EXISTS "
        "(SELECT FROM passages p WHERE p.user_id = m.user_id AND p.memory_id = m.id) AND NOT EXISTS "
        "(SELECT FROM pending_memories q WHERE q.user_id = %b AND q.memory_id = m.id)"
    ),
    "fact of a memory that is gone": (
        "SELECT id FROM facts f WHERE user_id = %b AND memory_id IS NOT NULL AND NOT EXISTS "
        "(SELECT FROM encrypted_memories m WHERE m.user_id = %b AND m.id = f.memory_id)"
    ),
    "passage of a correction that its story does not have": (
        "SELECT p.id FROM passages p JOIN stories s ON s.user_id = p.user_id AND s.id = p.story_id "
        "WHERE p.user_id = %b AND s.user_id = %b AND p.memory_id IS NULL AND NOT s.corrected && '{title,text}'"
    ),
    "story that says what a deleted memory said": (
        "SELECT s.id FROM stories s WHERE s.user_id = %b AND NOT (s.memory_ids || s.corrected_from) <@ ARRAY("
        "SELECT m.id FROM encrypted_memories m WHERE m.user_id = %b)"
    ),
    "story that counts other memories than it has": (
        "SELECT s.id FROM stories s WHERE s.user_id = %b AND s.memory_count <> (SELECT count(DISTINCT p.memory_id) "
        "FROM passages p WHERE p.user_id = %b AND p.story_id = s.id)"
    ),
    "story that no build will ever complete": (
        "SELECT s.id FROM stories s WHERE s.user_id = %b AND s.user_id = %b AND s.title IS NULL AND s.due_at IS NULL"
    ),
    "search set with other counts than its stories": (
        "SELECT t.id FROM search_sets t WHERE t.user_id = %b AND (t.passages, t.words) <> "
        "(SELECT coalesce(sum(passage_count), 0), coalesce(sum(word_count), 0) FROM stories s WHERE s.user_id = %b)"
    ),
    "stories without a search set": (
        "SELECT s.id FROM stories s WHERE s.user_id = %b "
        "AND NOT EXISTS (SELECT FROM search_sets t WHERE t.user_id = %b)"
    ),
}
EVENT_OF_NOTHING: Final = "event of a memory that is gone"


def check_lineage(*, user_id: UUID, actor: Actor) -> Report:
    """Check everything that was made of one person's memories: rows, and the stories opened. The check is recorded."""
    report = Report()
    with as_user(user_id):
        for what, statement in FAULTS.items():
            add(report, what, bulk.run(statement, [user_id, user_id]))
        vault = open_vault()
        there = {str(row_id) for row_id in Memory.objects.of(user_id).values_list("pk", flat=True)}
        for story in Story.objects.of(user_id).defer("embedding").iterator(chunk_size=200):
            report.stories += 1
            if story.due_at is not None:
                report.waiting.append(story.pk)
            if not {event.message_id for event in open_draft(story, vault).events} <= {"", *there}:
                report.faults.append(Fault(EVENT_OF_NOTHING, str(story.pk)))
        for kind in Entity.Kind:
            add(report, f"{kind.label.lower()} that no story bears", unborne(user_id, kind))
        record(
            actor=actor,
            action="lineage.check",
            subject=user_id,
            resource="stories",
            details={"stories": report.stories, "waiting": len(report.waiting), "faults": len(report.faults)},
        )
    return report


def unborne(user_id: UUID, kind: str) -> list[tuple[UUID]]:
    """Names that stand in no story any more."""
    return bulk.run(
        "SELECT id FROM entities WHERE user_id = %b AND kind = %b "  # noqa: S608
        f"AND token NOT IN (SELECT token FROM ({BORNE[kind]}) AS borne)",
        [user_id, kind, user_id],
    )


def add(report: Report, what: str, rows: list[tuple[UUID]]) -> None:
    """Note each row that is at fault."""
    report.faults += [Fault(what, str(row_id)) for (row_id,) in rows]
