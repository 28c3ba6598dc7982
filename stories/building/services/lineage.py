"""Proves that nothing outlives what it was made of: stories, passages, names, counts against the memories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from audit.actors import Actor
from audit.services import record
from stories.building.sources import fingerprint
from stories.entities.services import BORNE
from stories.models import Entity
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that should not be there, or is not as it should be; ids only."""

    what: str
    row: str


@dataclass(slots=True)
class Report:
    """What was found of one person. A story that waits for its job is no fault: until then it is behind, not false."""

    stories: int = 0
    waiting: list[UUID] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


# Each gives the ids of rows that are at fault; the person's id is the one parameter, as often as it is asked for.
FAULTS: dict[str, str] = {
    "passage without its memory": (
        "SELECT id FROM passages p WHERE user_id = %b AND memory_id IS NOT NULL AND NOT EXISTS "
        "(SELECT FROM encrypted_memories m WHERE m.user_id = %b AND m.id = p.memory_id)"
    ),
    "passage of what a memory said before": (
        "SELECT p.id FROM passages p JOIN encrypted_memories m ON m.user_id = p.user_id AND m.id = p.memory_id "
        "WHERE p.user_id = %b AND m.user_id = %b AND m.revision <> p.memory_revision"
    ),
    "passage in the story of another conversation": (
        "SELECT p.id FROM passages p JOIN encrypted_memories m ON m.user_id = p.user_id AND m.id = p.memory_id "
        "JOIN stories s ON s.user_id = p.user_id AND s.id = p.story_id "
        "WHERE p.user_id = %b AND s.user_id = %b AND s.conversation_id <> m.conversation_id"
    ),
    "passage of a memory that its story does not name": (
        "SELECT p.id FROM passages p JOIN stories s ON s.user_id = p.user_id AND s.id = p.story_id "
        "WHERE p.user_id = %b AND s.user_id = %b AND p.memory_id <> ALL (s.memory_ids)"
    ),
    "passage of a correction that its story does not have": (
        "SELECT p.id FROM passages p JOIN stories s ON s.user_id = p.user_id AND s.id = p.story_id "
        "WHERE p.user_id = %b AND s.user_id = %b AND p.memory_id IS NULL AND NOT s.corrected && '{title,text}'"
    ),
    "story that was deleted": (
        "SELECT s.id FROM stories s JOIN story_deletions d ON d.user_id = s.user_id "
        "AND d.conversation_id = s.conversation_id WHERE s.user_id = %b AND d.user_id = %b"
    ),
    "passage apart from its set": (
        "SELECT p.id FROM passages p JOIN search_sets t ON t.user_id = p.user_id "
        "WHERE p.user_id = %b AND t.user_id = %b AND p.in_graph <> t.in_graph"
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
# These hold only of a story that is up to date; its ids are a second parameter.
OF_SETTLED: dict[str, str] = {
    "story with other passages than it counts": (
        "SELECT s.id FROM stories s WHERE s.user_id = %b AND s.id = ANY(%b) AND "
        "(s.passage_count, s.word_count) <> (SELECT count(*), coalesce(sum(p.length), 0) FROM passages p "
        "WHERE p.user_id = %b AND p.story_id = s.id)"
    ),
    "correction made over a memory that is gone": (
        "SELECT s.id FROM stories s WHERE s.user_id = %b AND s.id = ANY(%b) AND NOT "
        "s.corrected_from <@ ARRAY(SELECT m.id FROM encrypted_memories m WHERE m.user_id = %b "
        "AND m.id = ANY(s.corrected_from))"
    ),
}


def check_lineage(*, user_id: UUID, actor: Actor) -> Report:
    """Check everything that was made of one person's memories. Opens nothing; the check itself is recorded."""
    report = Report()
    with as_user(user_id):
        settled = list(up_to_date(user_id, report))
        for what, statement in FAULTS.items():
            add(report, what, bulk.run(statement, [user_id, user_id]))
        for what, statement in OF_SETTLED.items():
            add(report, what, bulk.run(statement, [user_id, settled, user_id]))
        if not report.waiting:
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


def up_to_date(user_id: UUID, report: Report) -> Iterator[UUID]:
    """The stories that are made of just what there is now; the others are noted as waiting."""
    rows = bulk.run("SELECT id, conversation_id, fingerprint FROM stories WHERE user_id = %b", [user_id])
    report.stories = len(rows)
    for story_id, conversation_id, made_of in rows:
        if fingerprint(user_id, conversation_id) == made_of:
            yield story_id
        else:
            report.waiting.append(conversation_id)


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
