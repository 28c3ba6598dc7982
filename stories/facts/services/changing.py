"""What a person does with a fact: corrects it, says when it ended, or has it forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from types import EllipsisType
from typing import Final
from uuid import UUID

from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from memories.services.changing import delete_memory
from memories.storage import Storing
from stories.facts.statements import Kind, Statement
from stories.facts.storing import insert_statements, open_statements, read_statements
from stories.facts.timeline import Fact, Stated, facts_of
from stories.models import Fact as Row
from vibe.core.crypto.vault import Vault, stored_size
from vibe.core.db.scopes import as_user
from vibe.core.db.statements.batching import execute_batch
from vibe.core.errors import InputError, NotFound

OWN: Final = "person"
"""The processor of what the person said of a fact itself."""


class EndsBeforeItBegins(InputError):
    message = "`valid_to` is before `valid_from`. Give a later end, or an earlier beginning."
    code = "ends-before-it-begins"
    status = 422


@dataclass(frozen=True, slots=True)
class FactChange:
    """What is to stand instead; what is left out stays."""

    value: str | None = field(default=None, repr=False)
    valid_from: datetime | EllipsisType | None = field(default=..., repr=False)
    valid_to: datetime | EllipsisType | None = field(default=..., repr=False)


def correct_fact(*, user_id: UUID, fact_id: UUID, change: FactChange, actor: Actor) -> Fact:
    """Put the person's word in place of a fact: it outranks whatever was said before this moment.

    Raises NotFound, EndsBeforeItBegins, StorageFull and StorageDayFull.
    """
    with as_user(user_id):
        vault = open_vault(to_process=True)
        fact, _ = _find(user_id, vault, fact_id)
        since = fact.begins if change.valid_from is ... else change.valid_from
        until = fact.valid_to if change.valid_to is ... else change.valid_to
        if since and until and until < since:
            raise EndsBeforeItBegins
        value = fact.value if change.value is None else change.value
        said = replace(own_word(fact, Kind.CORRECTED), value=value, since=since, until=until, day=fact.day)
        storing = Storing(user_id, day_bytes=stored_size(said.encode()))
        [totals] = execute_batch(*storing.statements())
        storing.require_room(totals)
        insert_statements(user_id, vault, [(None, said)])
        corrected, _ = _find(user_id, vault, fact.id)
        record(actor=actor, action="fact.correct", subject=user_id, resource=f"facts/{fact.id}")
    return corrected


def forget_fact(*, user_id: UUID, fact_id: UUID, actor: Actor, with_memories: bool = False) -> None:
    """Forget a fact: it is not learned again from what was said before this moment. Raises NotFound.

    Its statements are deleted, and `with_memories` the memories too that they were read in.
    """
    with as_user(user_id):
        vault = open_vault()
        fact, known = _find(user_id, vault, fact_id)
        ids = {source.statement_id for source in fact.sources}
        ids |= {each.source.statement_id for each in known if each.token in fact.tokens}
        said = replace(own_word(fact, Kind.FORGOTTEN), since=fact.begins)
        Row.objects.of(user_id).filter(pk__in=ids)._raw_delete("default")
        insert_statements(user_id, vault, [(None, said)])
        for memory_id in said.memories if with_memories else ():
            delete_memory(user_id=user_id, memory_id=UUID(memory_id), actor=actor)
        record(
            actor=actor,
            action="fact.forget",
            subject=user_id,
            resource=f"facts/{fact.id}",
            details={"memories": list(said.memories) if with_memories else []},
        )


def own_word(fact: Fact, kind: Kind) -> Statement:
    """Return what a person says of a fact, so far without a value."""
    return Statement(
        fact.subject,
        fact.attribute,
        "",
        kind,
        processor=OWN,
        instead_of=tuple(sorted(fact.tokens)),
        of=str(fact.id),
        memories=tuple(sorted(fact.said_in)),
    )


def _find(user_id: UUID, vault: Vault, fact_id: UUID) -> tuple[Fact, list[Stated]]:
    """Return the fact of an id, or that a statement of this id belongs to, and all statements. Raises NotFound."""
    [rows] = execute_batch(read_statements(user_id))
    known = open_statements(vault, rows)
    for fact in reversed(facts_of(known)):
        if fact_id == fact.id or fact_id in {source.statement_id for source in fact.sources}:
            return fact, known
    raise NotFound("There is no such fact.")
