"""What a person corrected among their facts or had forgotten, brought back from an export; the rest is read again."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from accounts.export.sections import Line
from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from memories.models import Memory
from stories.facts.attributes import ATTRIBUTES
from stories.facts.services.changing import OWN
from stories.facts.statements import Kind, Statement
from stories.facts.storing import insert_statements, open_statements, read_statements
from stories.index.services import index_pending
from stories.models import Fact
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_user
from vibe.core.db.statements.batching import execute_batch
from vibe.core.errors import InputError

LONGEST = 200


def restore_own_word(user_id: UUID, line: Line, *, actor: Actor) -> bool:
    """Bring back a correction, or that a fact is forgotten, as of the time at which it was made.

    Return whether there was anything to bring back that is not here. Raises InputError.
    """
    forgotten = line.get("forgotten_at") is not None
    at = time_in(line, "forgotten_at" if forgotten else "corrected_at")
    if at is None:
        return False
    subject, attribute = text_in(line, "subject", 0), text_in(line, "attribute")
    if attribute not in ATTRIBUTES:
        raise InputError("attribute is none")
    with as_user(user_id):
        index_pending(user_id=user_id, bulk_ones=True, actor=actor)
        vault = open_vault()
        memories = memories_in(user_id, line)
        [rows] = execute_batch(read_statements(user_id))
        known = open_statements(vault, rows)
        about = [each for each in known if (each.statement.subject, each.statement.attribute) == (subject, attribute)]
        if any(each.source.memory_id is None and each.source.said_at == at for each in about):
            return False
        replaced = [each for each in about if each.source.memory_id in memories and each.source.said_at <= at]
        said = Statement(
            subject,
            attribute,
            "" if forgotten else text_in(line, "value"),
            Kind.FORGOTTEN if forgotten else Kind.CORRECTED,
            since=time_in(line, "valid_from"),
            until=None if forgotten else time_in(line, "valid_to"),
            day=day_in(line),
            processor=OWN,
            instead_of=tuple(sorted({each.token for each in replaced})),
            of=str(uuid7()),
            memories=tuple(sorted(str(each) for each in memories)),
        )
        if forgotten:
            gone = [each.source.statement_id for each in replaced]
            Fact.objects.of(user_id).filter(pk__in=gone)._raw_delete("default")
        insert_statements(user_id, vault, [(None, said)], at=at)
        action = "fact.forget" if forgotten else "fact.correct"
        record(actor=actor, action=action, subject=user_id, resource=f"facts/{said.of}")
    return True


def memories_in(user_id: UUID, line: Line) -> set[UUID]:
    """Return the memories that a line names, of those that are here."""
    named = line.get("said_in")
    if not isinstance(named, list) or len(named) > 1_000 or not all(isinstance(each, dict) for each in named):
        raise InputError("said_in is missing, or no list of objects")
    found: set[UUID] = set()
    for each in named:
        conversation, message = text_in(each, "conversation"), text_in(each, "message")
        rows = Memory.objects.of(user_id).filter(
            conversation__external_id=conversation, message_ids__contains=[message]
        )
        found |= set(rows.values_list("pk", flat=True))
    return found


def text_in(line: dict[str, Any], name: str, least: int = 1) -> str:
    """Return a text of a line. Raises InputError."""
    value = line.get(name)
    if not isinstance(value, str) or not least <= len(value) <= LONGEST:
        raise InputError(f"{name} is missing, no text, or too long")
    return value


def time_in(line: Line, name: str) -> datetime | None:
    """Return a time of a line, None where there is none. Raises InputError."""
    value = line.get(name)
    try:
        at = None if value is None else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} is no time") from None
    if at and (at.tzinfo is None or not 1900 <= at.year < 2200):
        raise InputError(f"{name} has no time zone, or is not between 1900 and 2200")
    return at


def day_in(line: Line) -> date | None:
    """Return the day of a line, None where there is none. Raises InputError."""
    try:
        return None if line.get("day") is None else date.fromisoformat(line["day"])
    except (TypeError, ValueError):
        raise InputError("day is no date") from None
