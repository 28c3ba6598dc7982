"""Changes to a conversation as a whole, archiving by staff included, who never open its content.

Each function is one transaction: check, change, record.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.companions import companion_token
from accounts.keys.services.data_keys import data_keys, open_vault, vault_of
from audit.actors import Actor
from audit.services import record
from memories.index import search_index
from memories.models import Conversation
from memories.storage import ROW_BYTES, Storing, adding, give_back_conversation, replacing, size_of
from vibe.core.crypto.fields import address_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import Versions, require_version, uuid7
from vibe.core.db.scopes import as_support, as_user
from vibe.core.db.statements.batching import execute_batch
from vibe.core.errors import Conflict, NotFound

SEALED: Final = ("title", "description", "companion")


class ExternalIdTaken(Conflict):
    message = "There is a conversation with that external id already. Leave it out, or give another."
    code = "external-id-taken"


class OtherCompanion(Conflict):
    message = "The conversation of that external id is with another companion, or with none. Give another external id."
    code = "other-companion"


@dataclass(frozen=True, slots=True)
class OpenedConversation:
    """A conversation with its opened texts, which its repr hides."""

    row: Conversation
    title: str | None = field(repr=False)
    description: str | None = field(repr=False)
    companion: str | None = field(default=None, repr=False)


def create_conversation(
    *,
    user_id: UUID,
    actor: Actor,
    title: str | None = None,
    description: str | None = None,
    external_id: str | None = None,
    started_at: datetime | None = None,
    companion: str | None = None,
) -> OpenedConversation:
    """Create a conversation. Its companion is given here for good.

    Raises ExternalIdTaken, StorageFull and StorageDayFull.
    """
    with as_user(user_id):
        made = _insert(
            user_id,
            actor,
            title=title,
            description=description,
            external_id=external_id,
            started_at=started_at,
            companion=companion,
        )
        if made is None:
            there = _of_external_id(user_id, external_id)
            raise ExternalIdTaken(existing=there.pk if there else None)
    return made


def ensure_conversation(
    *,
    user_id: UUID,
    actor: Actor,
    external_id: str,
    title: str | None = None,
    description: str | None = None,
    started_at: datetime | None = None,
    companion: str | None = None,
) -> tuple[OpenedConversation, bool]:
    """Return the conversation of an external id, and whether it was created now, with what is given.

    One that is there stays as it is. Raises OtherCompanion when another companion is given than it is with,
    ExternalIdTaken when it is created and deleted by others meanwhile, StorageFull and StorageDayFull.
    """
    with as_user(user_id):
        there = _of_external_id(user_id, external_id)
        if there is None:
            made = _insert(
                user_id,
                actor,
                title=title,
                description=description,
                external_id=external_id,
                started_at=started_at,
                companion=companion,
            )
            if made:
                return made, True
            there = _of_external_id(user_id, external_id)  # of a request at the same time
        if there is None:
            raise ExternalIdTaken
        found = OpenedConversation(there, **open_texts(there, open_vault()))
        if companion is not None and companion != found.companion:
            raise OtherCompanion(existing=there.pk)
    return found, False


def _insert(
    user_id: UUID,
    actor: Actor,
    *,
    title: str | None,
    description: str | None,
    external_id: str | None,
    started_at: datetime | None,
    companion: str | None,
) -> OpenedConversation | None:
    """Insert a conversation; None, with the transaction still usable, if its external id is taken."""
    begun = started_at or timezone.now()
    row = Conversation(
        id=uuid7(), user_id=user_id, external_id=external_id, started_at=begun, active_at=begun, revision=1
    )
    row.created_at = timezone.now()
    try:
        with transaction.atomic() if external_id else nullcontext():
            vault = open_with_room(adding(user_id, size=ROW_BYTES + size_of(title, description, companion)))
            seal_texts(row, vault, {"title": title, "description": description, "companion": companion})
            row.companion_token = companion_token(vault, companion) if companion else None
            row.save(force_insert=True)
    except IntegrityError:
        return None
    _record_change(row, actor, "conversation.create")
    return OpenedConversation(row, title, description, companion)


def _of_external_id(user_id: UUID, external_id: str | None) -> Conversation | None:
    """Return the row of an external id; None if there is none."""
    row: Conversation | None = Conversation.objects.of(user_id).filter(external_id=external_id).first()
    return row


def change_conversation(
    *,
    user_id: UUID,
    conversation_id: UUID,
    actor: Actor,
    texts: Mapping[str, str | None],
    expected: Versions | None = None,
) -> OpenedConversation:
    """Change title or description of a conversation; None removes a text, an absent name leaves it unchanged.

    Raises NotFound, Outdated when the conversation is at none of the expected versions, StorageFull and StorageDayFull.
    """
    with as_user(user_id):
        row = lock_conversation(user_id, conversation_id, expected)
        replaced = sum(len(sealed.ciphertext) for name in texts if (sealed := getattr(row, name)))
        vault = open_with_room(replacing(user_id, before=replaced, after=size_of(*texts.values())))
        before = open_texts(row, vault)
        after = {**before, **{name: texts[name] or None for name in texts}}
        if after != before:
            row.revision += 1
            seal_texts(row, vault, after)
            row.save(update_fields=[*SEALED, "revision", "updated_at"])
            if after["title"] != before["title"]:
                search_index().conversation_renamed(user_id, row.pk)
        _record_change(row, actor, "conversation.change", fields=sorted(texts))
    return OpenedConversation(row, **after)


def archive_conversation(
    *, user_id: UUID, conversation_id: UUID, actor: Actor, archived: bool, expected: Versions | None = None
) -> OpenedConversation:
    """Archive or unarchive a conversation. Raises NotFound and Outdated."""
    with as_user(user_id):
        row = lock_conversation(user_id, conversation_id, expected)
        if row.is_archived != archived:
            row.is_archived = archived
            row.save(update_fields=["is_archived", "updated_at"])
        _record_change(row, actor, "conversation.archive" if archived else "conversation.unarchive")
        texts = open_texts(row, open_vault())
    return OpenedConversation(row, **texts)


def delete_conversation(
    *, user_id: UUID, conversation_id: UUID, actor: Actor, expected: Versions | None = None
) -> None:
    """Delete a conversation permanently, with its memories and its story. Raises NotFound and Outdated."""
    with as_user(user_id):
        row = lock_conversation(user_id, conversation_id, expected)
        give_back_conversation(user_id, conversation_id)
        row.delete()
        search_index().conversation_deleted(user_id)
        _record_change(row, actor, "conversation.delete", memories=row.memory_count)


def open_with_room(storing: Storing) -> Vault:
    """Count what is stored, and open the person's keys. Raises StorageFull and StorageDayFull."""
    keys, totals = execute_batch(data_keys(storing.user_id), *storing.statements())
    storing.require_room(totals)
    return vault_of(storing.user_id, keys)


def lock_conversation(user_id: UUID, conversation_id: UUID, expected: Versions | None = None) -> Conversation:
    """Lock a conversation until the transaction ends, and return it. Raises NotFound and Outdated."""
    row: Conversation | None = Conversation.objects.of(user_id).filter(pk=conversation_id).select_for_update().first()
    if row is None:
        raise no_such_conversation()
    require_version(row, expected)
    return row


def no_such_conversation() -> NotFound:
    """Return the same error for a missing conversation and for somebody else's."""
    return NotFound("There is no such conversation.")


def seal_texts(row: Conversation, vault: Vault, texts: Mapping[str, str | None]) -> None:
    """Seal all texts at the row's revision, even an unchanged one: a seal is valid at one revision only."""
    for name in SEALED:
        text = texts.get(name)
        setattr(row, name, vault.seal(text, address_of(row, name)) if text else None)


def open_texts(row: Conversation, vault: Vault) -> dict[str, str | None]:
    """Open all texts, and the companion's name."""
    return {
        name: None if (sealed := getattr(row, name)) is None else vault.open(sealed, address_of(row, name))
        for name in SEALED
    }


def _record_change(row: Conversation, actor: Actor, action: str, **details: object) -> None:
    """Record an action on a conversation."""
    record(actor=actor, action=action, subject=row.user_id, resource=f"conversations/{row.pk}", details=details)


def set_archived(*, user_id: UUID, conversation_id: UUID, archived: bool, actor: Actor) -> bool:
    """Archive or unarchive a conversation, and return whether this changed anything. Raises NotFound."""
    with as_support():
        row = Conversation.objects.of(user_id).filter(pk=conversation_id)
        if not row.exists():
            raise NotFound("The person has no such conversation.")
        changed = row.exclude(is_archived=archived).update(is_archived=archived, updated_at=timezone.now())
        if changed:
            action = "conversation.archive" if archived else "conversation.unarchive"
            record(actor=actor, action=action, subject=user_id, resource=f"conversations/{conversation_id}")
    return bool(changed)
