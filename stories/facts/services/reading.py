"""A person's facts, worked out from all their statements: what holds now, what held at a moment, or all of them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from accounts.companions import companion_token
from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from stories.facts.attributes import ATTRIBUTES
from stories.facts.storing import open_statements, read_statements
from stories.facts.timeline import Fact, facts_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.scale import replica
from vibe.core.db.scopes import as_user
from vibe.core.db.statements.batching import Rows, execute_batch
from vibe.core.errors import InputError, NotFound


class NoSuchAttribute(InputError):
    message = "There is no such attribute. GET /facts takes those of docs/facts.md."
    code = "no-such-attribute"
    status = 422


def list_facts(
    *,
    user_id: UUID,
    actor: Actor,
    at: datetime | None = None,
    history: bool = False,
    attributes: Collection[str] = (),
    companion: str | None = None,
) -> list[Fact]:
    """Return what holds at a moment, now if none is given, or all of the history; the newest learned first.

    With a companion: what follows from what was said to it. Raises NoSuchAttribute.
    """
    if not ATTRIBUTES.issuperset(attributes):
        raise NoSuchAttribute
    with as_user(user_id):
        vault = open_vault(to_process=True)
        token = None if companion is None else companion_token(vault, companion)
        rows = replica.read(user_id, lambda: execute_batch(read_statements(user_id, token))[0])
        found = select_facts(open_facts(vault, rows, token), at=at, history=history, attributes=attributes)
        record(
            actor=actor,
            action="facts.list",
            subject=user_id,
            resource="facts",
            details={"facts": [str(fact.id) for fact in found]},
        )
    return found


def open_fact(*, user_id: UUID, fact_id: UUID, actor: Actor) -> Fact:
    """Return a fact, also one that has ended. Raises NotFound."""
    with as_user(user_id):
        vault = open_vault(to_process=True)
        rows = replica.read(user_id, lambda: execute_batch(read_statements(user_id))[0])
        found = next((fact for fact in open_facts(vault, rows) if fact.id == fact_id), None)
        if found is None:
            raise NotFound("There is no such fact.")
        record(actor=actor, action="fact.read", subject=user_id, resource=f"facts/{fact_id}")
    return found


def open_facts(vault: Vault, rows: Rows, companion: int | None = None) -> list[Fact]:
    """Return all facts that follow from what `read_statements` found for the same companion, the ended ones too.

    What the person corrected or had forgotten holds for a companion too, but is not shown: it was said to none.
    """
    facts = facts_of(open_statements(vault, rows))
    if companion is None:
        return facts
    shown = [fact for fact in facts if not fact.corrected]
    ids = {fact.id for fact in shown}
    for fact in shown:
        fact.superseded_by = fact.superseded_by if fact.superseded_by in ids else None
    return shown


def select_facts(
    facts: list[Fact], *, at: datetime | None = None, history: bool = False, attributes: Collection[str] = ()
) -> list[Fact]:
    """Return those that hold at a moment, now if none is given, or all, of these attributes, the newest first."""
    at = at or timezone.now()
    return [
        fact
        for fact in reversed(facts)
        if (history or fact.holds_at(at)) and (not attributes or fact.attribute in attributes)
    ]
