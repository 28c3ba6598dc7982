"""Import of conversations and memories, in one transaction: check, change, record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils import timezone

from accounts.companions import companion_token
from accounts.keys.services.data_keys import open_vault
from accounts.people.services.people import name_in, own_name
from audit.actors import Actor
from audit.services import record
from memories.imports.lines import ConversationLine, Message
from memories.index import search_index
from memories.models import Conversation, Memory
from memories.payload import open_memories
from memories.roles import role_of
from memories.storage import ROW_BYTES, adding, size_of
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_user
from vibe.core.db.statements import bulk
from vibe.core.db.statements.batching import current_connection, execute_batch

CONVERSATIONS, MEMORIES = Conversation._meta.db_table, Memory._meta.db_table
Messages = dict[str, Message]  # by message id, within one conversation
# By a hash of the wanted ids. With `&&` the planner compares each memory of a long conversation with each of them.
OF_MESSAGES: Final = (
    "SELECT DISTINCT memory.id FROM unnest(%b::text[]) AS wanted (id) JOIN (SELECT id, unnest(message_ids) AS name "
    "FROM encrypted_memories WHERE user_id = %b AND conversation_id = ANY(%b)) AS memory ON memory.name = wanted.id"
)


@dataclass(slots=True)
class Counts:
    """The counts of an import."""

    conversations: int = 0
    memories: int = 0
    unchanged: int = 0
    skipped: int = 0  # messages with nothing in them, or expired
    differing: int = 0  # messages that are here with other content, of a file that keeps them
    refused: int = 0
    restored: int = 0
    passed_over: int = 0


def import_conversations(*, user_id: UUID, lines: Sequence[ConversationLine], actor: Actor) -> Counts:
    """Add one person's conversations and their new messages, one memory a message.

    Imports all lines or none. Raises BadLine for an existing message with other content, StorageFull and
    StorageDayFull. Importing again changes nothing; concurrent imports of the same person wait for each other.
    """
    with as_user(user_id):
        lock_person(user_id)
        vault = open_vault(to_process=True)
        companions = companions_there(user_id, lines)
        check_companions(lines, companions, vault)
        there = {external_id: conversation_id for external_id, (conversation_id, _) in companions.items()}
        known = messages_there(user_id, there, lines, vault)
        fresh, counts = partition_new(lines, known, timezone.now())
        new = [line for line in lines if line.external_id not in there]
        require_room(user_id, new, fresh)
        ids = there | insert_conversations(user_id, new, fresh, vault)
        if fresh:
            added = insert_memories(user_id, ids, fresh, vault, known_name(user_id, fresh))
            count_memories(user_id, {ids[each]: new for each, new in fresh.items() if each in there})
            search_index().imported(user_id, added)
        counts.conversations = len(ids.keys() - there.keys() | fresh.keys())
        counts.memories = sum(map(len, fresh.values()))
        record(
            actor=actor,
            action="conversations.import",
            subject=user_id,
            resource="conversations",
            details={"conversations": counts.conversations, "memories": counts.memories},
        )
    return counts


def require_room(user_id: UUID, new: Sequence[ConversationLine], fresh: Mapping[str, Messages]) -> None:
    """Count what is to be stored. Raises StorageFull and StorageDayFull."""
    texts = [message.payload.encode() for messages in fresh.values() for message in messages.values()]
    first = {line.external_id: line for line in reversed(new)}
    titles = sum(ROW_BYTES + size_of(line.title, line.description, line.companion) for line in first.values())
    if not (texts or titles):
        return
    storing = adding(user_id, memories=len(texts), size=titles + size_of(*texts))
    [totals] = execute_batch(*storing.statements())
    storing.require_room(totals)


def lock_person(user_id: UUID) -> None:
    """Take the advisory lock of a person until the transaction ends, with the next statement."""
    number = int.from_bytes(user_id.bytes[-8:], "big", signed=True)
    current_connection().hold("SELECT pg_advisory_xact_lock(%s)", [number])


def companions_there(user_id: UUID, lines: Iterable[ConversationLine]) -> dict[str, tuple[UUID, int | None]]:
    """Return the lines' existing conversations by external id: id, and the token of the companion."""
    wanted = {line.external_id for line in lines}
    rows = Conversation.objects.of(user_id).filter(external_id__in=wanted)
    found = rows.values_list("external_id", "id", "companion_token")
    return {external_id: (conversation_id, token) for external_id, conversation_id, token in found}


def check_companions(
    lines: Iterable[ConversationLine], there: Mapping[str, tuple[UUID, int | None]], vault: Vault
) -> None:
    """Raise BadLine if a line names another companion than its conversation has: one would hear what another did."""
    known = {external_id: token for external_id, (_, token) in there.items()}
    for line in lines:
        token = companion_token(vault, line.companion) if line.companion else None
        if known.setdefault(line.external_id, token) != token and token is not None:
            raise line.bad("names a companion, and its conversation is with another, or with none")


def messages_there(
    user_id: UUID, there: Mapping[str, UUID], lines: Iterable[ConversationLine], vault: Vault
) -> dict[str, Messages]:
    """Return the lines' existing messages, opened, by conversation."""
    if not there:
        return {}
    names = {conversation_id: external_id for external_id, conversation_id in there.items()}
    wanted = {message.id for line in lines if line.external_id in there for message in line.messages}
    ids = [row_id for (row_id,) in bulk.run(OF_MESSAGES, [list(wanted), user_id, list(names)])]
    rows = list(Memory.objects.of(user_id).filter(pk__in=ids)) if ids else []
    found: dict[str, Messages] = {}
    for row, opened in zip(rows, open_memories(rows, vault), strict=True):
        known = found.setdefault(names[row.conversation_id], {})
        said = (opened.payload, row.occurred_at, (), opened.role)
        known.update({each: Message(each, *said) for each in row.message_ids})
    return found


def partition_new(
    lines: Iterable[ConversationLine], known: Mapping[str, Messages], now: datetime
) -> tuple[dict[str, Messages], Counts]:
    """Return the new messages by conversation, and how many of the others are what.

    Raises BadLine if one that is there already differs, unless its line keeps it.
    """
    fresh: dict[str, Messages] = {}
    counts = Counts()
    for line in lines:
        old, new = known.get(line.external_id, {}), fresh.get(line.external_id, {})
        for message in line.messages:
            there = old.get(message.id) or new.get(message.id)
            if is_nothing(message) or is_expired(message, now):
                counts.skipped += 1
            elif not there:
                new[message.id] = message
            elif is_same(there, message):
                counts.unchanged += 1
            elif line.keeps_existing:
                counts.differing += 1
            else:
                raise line.bad("holds a message id that is there already with other content")
        if new:
            fresh[line.external_id] = new
    return fresh, counts


def is_nothing(message: Message) -> bool:
    """Return whether a message has neither a text nor metadata: programs write pictures and calls so."""
    return not message.payload.text and not message.payload.metadata


def is_expired(message: Message, now: datetime) -> bool:
    """Return whether a message of an export has expired since."""
    return message.expires_at is not None and message.expires_at <= now


def is_same(there: Message, given: Message) -> bool:
    """Return whether a message says what the one that is there says. What it does not give of it does not count.

    Nor does the offset from UTC: the time is the same.
    """
    return (
        (given.payload.author, given.payload.text, given.sent_at)
        == (there.payload.author, there.payload.text, there.sent_at)
        and given.role in (None, there.role)
        and given.payload.metadata in ({}, there.payload.metadata)
    )


def insert_conversations(
    user_id: UUID, lines: Iterable[ConversationLine], fresh: Mapping[str, Messages], vault: Vault
) -> dict[str, UUID]:
    """Insert each line's conversation, in one statement; the first line of a conversation gives its title."""
    first = {line.external_id: line for line in reversed(list(lines))}
    if not first:
        return {}
    made = {external_id: uuid7() for external_id in first}
    bulk.insert(
        CONVERSATIONS,
        {
            "id": ("uuid", list(made.values())),
            "external_id": ("text", list(made)),
            "title": ("bytea", seal_some(vault, "title", [(made[each], line.title) for each, line in first.items()])),
            "description": (
                "bytea",
                seal_some(vault, "description", [(made[each], line.description) for each, line in first.items()]),
            ),
            "companion": (
                "bytea",
                seal_some(vault, "companion", [(made[each], line.companion) for each, line in first.items()]),
            ),
            "companion_token": (
                "int8",
                [line.companion and companion_token(vault, line.companion) for line in first.values()],
            ),
            "is_archived": ("bool", [line.is_archived for line in first.values()]),
            "memory_count": ("int4", [len(fresh.get(each, {})) for each in first]),
            "started_at": ("timestamptz", [line.started_at for line in first.values()]),
            "active_at": (
                "timestamptz",
                [max([line.started_at, *sent_times(fresh.get(each, {}))]) for each, line in first.items()],
            ),
        },
        same={
            "user_id": ("uuid", user_id),
            "revision": ("int4", 1),
            "updated_at": ("timestamptz", timezone.now()),
        },
    )
    return made


def seal_some(vault: Vault, column: str, values: Sequence[tuple[UUID, str | None]]) -> list[bytes | None]:
    """Seal one column of new conversations; None stays for those without a text."""
    sealed = iter(vault.seal_all(CONVERSATIONS, column, ((row_id, 1, text) for row_id, text in values if text)))
    return [next(sealed).ciphertext if text else None for _, text in values]


def known_name(user_id: UUID, fresh: Mapping[str, Messages]) -> str:
    """Return the person's name, which roles are told by; empty where every role is given, or if none is known."""
    if all(message.role for new in fresh.values() for message in new.values()):
        return ""
    [rows] = execute_batch(own_name(user_id))
    return name_in(rows)


def insert_memories(
    user_id: UUID, ids: Mapping[str, UUID], fresh: Mapping[str, Messages], vault: Vault, name: str
) -> list[UUID]:
    """Seal the memories and insert them in one statement. Return their ids. `name` is the person's own."""
    rows = [(uuid7(), ids[each], message) for each, new in fresh.items() for message in new.values()]
    sealed = vault.seal_all(MEMORIES, "payload", ((row_id, 1, message.payload.encode()) for row_id, _, message in rows))
    roles = {author: role_of(author, name) for author in {message.payload.author for _, _, message in rows}}
    bulk.insert(
        MEMORIES,
        {
            "id": ("uuid", [row_id for row_id, _, _ in rows]),
            "conversation_id": ("uuid", [conversation for _, conversation, _ in rows]),
            "message_ids": message_ids([message for _, _, message in rows]),
            "role": ("text", [message.role or roles[message.payload.author] for _, _, message in rows]),
            "payload": ("bytea", [value.ciphertext for value in sealed]),
            "occurred_at": ("timestamptz", [message.sent_at for _, _, message in rows]),
            "expires_at": ("timestamptz", [message.expires_at for _, _, message in rows]),
        },
        same={"user_id": ("uuid", user_id), "revision": ("int4", 1)},
    )
    return [row_id for row_id, _, _ in rows]


def count_memories(user_id: UUID, fresh: Mapping[UUID, Messages]) -> None:
    """Update the count and the time of last activity of existing conversations."""
    if not fresh:
        return
    bulk.run(
        "UPDATE conversations SET memory_count = memory_count + added.count, updated_at = now(), "
        "active_at = greatest(active_at, added.latest) "
        "FROM unnest(%b::uuid[], %b::int4[], %b::timestamptz[]) AS added(id, count, latest) "
        "WHERE conversations.user_id = %b AND conversations.id = added.id",
        [list(fresh), [len(new) for new in fresh.values()], [max(sent_times(new)) for new in fresh.values()], user_id],
    )


def message_ids(messages: Sequence[Message]) -> bulk.Column:
    """Return the column of message ids; the usual single id per message needs no quoting."""
    if not any(message.also for message in messages):
        return "text[]", [message.id for message in messages]
    return "text::text[]", [array_of((message.id, *message.also)) for message in messages]


def array_of(ids: Iterable[str]) -> str:
    """Return an array of texts as a PostgreSQL literal."""
    quoted = (each.replace("\\", "\\\\").replace('"', '\\"') for each in ids)
    return "{" + ",".join(f'"{each}"' for each in quoted) + "}"


def sent_times(messages: Messages) -> list[datetime]:
    """Return when the messages were sent."""
    return [message.sent_at for message in messages.values()]
