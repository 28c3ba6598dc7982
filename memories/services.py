"""What happens to conversations and memories. Each verb is one transaction: check, change, record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection

from accounts.services import open_vault
from audit.actors import Actor
from audit.services import record
from memories.lines import BadLine, ConversationLine, Message
from memories.models import Conversation, Memory
from memories.payload import Payload
from memories.signals import conversations_changed
from vibe.crypto.vault import Vault
from vibe.db import bulk
from vibe.db.contexts import as_user
from vibe.db.owned import uuid7

CONVERSATIONS, MEMORIES = Conversation._meta.db_table, Memory._meta.db_table


@dataclass(frozen=True, slots=True)
class OpenedMemory:
    """A memory and what it says. It does not print."""

    id: UUID
    message_ids: tuple[str, ...]
    occurred_at: datetime
    payload: Payload = field(repr=False)


@dataclass(slots=True)
class Counts:
    """What an import did."""

    conversations: int = 0
    memories: int = 0
    unchanged: int = 0
    refused: int = 0


def open_memories(memories: Iterable[Memory], vault: Vault) -> list[OpenedMemory]:
    """Open the payloads of one person's memories, in the order given. Raises a SealError naming the first bad row."""
    rows = list(memories)
    texts = vault.open_all(MEMORIES, "payload", ((row.pk, row.revision, row.payload) for row in rows))
    return [
        OpenedMemory(row.pk, tuple(row.message_ids), row.occurred_at, Payload.decode(text))
        for row, text in zip(rows, texts, strict=True)
    ]


def import_conversations(*, user_id: UUID, lines: Sequence[ConversationLine], actor: Actor) -> Counts:
    """Add one person's conversations and the messages that are not there yet; one memory a message.

    All lines go in or, with BadLine, none: a message that is there already with other content is such a line.
    Importing again changes nothing; two imports at once wait for each other, person by person.
    """
    counts = Counts()
    with as_user(user_id):
        alone_with(user_id)
        vault = open_vault()
        ids = ensure_conversations(user_id, lines, vault)
        known = known_messages(user_id, set(ids.values()), vault)
        fresh: dict[UUID, dict[str, Message]] = {}
        for line in lines:
            conversation = ids[line.external_id]
            there = known.get(conversation, {})
            for message in line.messages:
                if message.id not in there:
                    fresh.setdefault(conversation, {})[message.id] = message
                    known.setdefault(conversation, {})[message.id] = message
                elif (there[message.id].payload, there[message.id].sent_at) != (message.payload, message.sent_at):
                    raise BadLine(line.number, "holds a message id that is there already with other content")
                else:
                    counts.unchanged += 1
        if fresh:
            insert_memories(user_id, fresh, vault)
            count_memories(user_id, fresh)
            conversations_changed.send(Conversation, user_id=user_id, conversation_ids=list(fresh))
        counts.conversations, counts.memories = len(fresh), sum(map(len, fresh.values()))
        record(
            actor=actor,
            action="conversations.import",
            subject=user_id,
            resource="conversations",
            details={"conversations": counts.conversations, "memories": counts.memories},
        )
    return counts


def alone_with(user_id: UUID) -> None:
    """Wait until no other import of this person runs; held to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(user_id.bytes[-8:], "big", signed=True)])


def ensure_conversations(user_id: UUID, lines: Sequence[ConversationLine], vault: Vault) -> dict[str, UUID]:
    """The id of each line's conversation, made if it is not there."""
    wanted = {line.external_id: line for line in lines}
    there = dict(
        Conversation.objects.of(user_id).filter(external_id__in=wanted).values_list("external_id", "id"),
    )
    new = {external_id: uuid7() for external_id in wanted if external_id not in there}
    if new:
        made = [(made_id, wanted[external_id]) for external_id, made_id in new.items()]
        sealed = {
            column: dict(zip((made_id for made_id, line in made if getattr(line, column)),
                             vault.seal_all(CONVERSATIONS, column, ((made_id, 1, getattr(line, column)) for made_id, line in made
                                                                    if getattr(line, column))), strict=True))
            for column in ("title", "description")
        }  # fmt: skip
        ids = list(new.values())
        times = [line.started_at for _, line in made]
        bulk.insert(
            CONVERSATIONS,
            {
                "id": ("uuid", ids),
                "user_id": ("uuid", [user_id] * len(ids)),
                "external_id": ("text", list(new)),
                **{
                    column: ("bytea", [value.ciphertext if (value := sealed[column].get(made_id)) else None for made_id in ids])
                    for column in sealed
                },
                "is_archived": ("bool", [False] * len(ids)),
                "memory_count": ("int4", [0] * len(ids)),
                "started_at": ("timestamptz", times),
                "active_at": ("timestamptz", times),
                "revision": ("int4", [1] * len(ids)),
                "updated_at": ("timestamptz", times),
            },
        )
    return {**there, **new}


def known_messages(user_id: UUID, conversations: set[UUID], vault: Vault) -> dict[UUID, dict[str, Message]]:
    """The messages that are there already, by conversation and message id."""
    rows = list(Memory.objects.of(user_id).filter(conversation_id__in=conversations))
    known: dict[UUID, dict[str, Message]] = {}
    for row, opened in zip(rows, open_memories(rows, vault), strict=True):
        for message_id in row.message_ids:
            known.setdefault(row.conversation_id, {})[message_id] = Message(message_id, opened.payload, row.occurred_at)
    return known


def insert_memories(user_id: UUID, fresh: Mapping[UUID, Mapping[str, Message]], vault: Vault) -> None:
    """Seal and insert, in one statement."""
    rows = [(uuid7(), conversation, message) for conversation, new in fresh.items() for message in new.values()]
    sealed = vault.seal_all(MEMORIES, "payload", ((row_id, 1, message.payload.encode()) for row_id, _, message in rows))
    bulk.insert(
        MEMORIES,
        {
            "id": ("uuid", [row_id for row_id, _, _ in rows]),
            "user_id": ("uuid", [user_id] * len(rows)),
            "conversation_id": ("uuid", [conversation for _, conversation, _ in rows]),
            "message_ids": ("text[]", [message.id for _, _, message in rows]),
            "payload": ("bytea", [value.ciphertext for value in sealed]),
            "occurred_at": ("timestamptz", [message.sent_at for _, _, message in rows]),
            "revision": ("int4", [1] * len(rows)),
        },
    )


def count_memories(user_id: UUID, fresh: Mapping[UUID, Mapping[str, Message]]) -> None:
    """Keep each conversation's count and time of last activity."""
    bulk.run(
        "UPDATE conversations SET memory_count = memory_count + added.count, updated_at = now(), "
        "active_at = greatest(active_at, added.latest) "
        "FROM unnest(%b::uuid[], %b::int4[], %b::timestamptz[]) AS added(id, count, latest) "
        "WHERE conversations.user_id = %b AND conversations.id = added.id",
        [
            list(fresh),
            [len(new) for new in fresh.values()],
            [max(message.sent_at for message in new.values()) for new in fresh.values()],
            user_id,
        ],
    )
