"""Days are reckoned where the message was said: its offset from UTC, sealed with it, decides what "yesterday" was."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from types import ModuleType
from uuid import UUID

import pytest

from accounts.keys.services.data_keys import open_vault
from accounts.people.services.people import find_person
from memories.imports.services.files import FileImport
from memories.models import Memory
from memories.payload import Payload, offset_of, open_memories
from memories.services.adding import NewMemory, add_memories
from memories.services.conversations import create_conversation
from stories.building import sources
from stories.index import entries
from stories.models import Passage, Story
from stories.sealed_story import open_draft
from stories.text.passages import word_tokens
from stories.text.words import date_words
from tests.building import build_all
from tests.cast import TESTER
from vibe.core.db.scopes import as_user

SAID = {
    "I repainted the shed yesterday.": ("2026-04-10T23:40:00-06:00", "2026-04-09"),
    "I repainted the fence yesterday.": ("2026-04-11T00:20:00-06:00", "2026-04-10"),
    "I sold the canoe today.": ("2026-08-02T01:10:00+10:00", "2026-08-02"),
    "I sold the kayak today.": ("2026-08-01T23:50:00+10:00", "2026-08-01"),
    "Tomorrow I will visit the dentist.": ("2026-02-28T22:15:00-08:00", "2026-03-01"),
    "I adopted a parrot last Monday.": ("2026-06-15T00:05:00+05:45", "2026-06-08"),
    "I adopted a hamster last Sunday.": ("2026-06-14T23:55:00+05:45", "2026-06-07"),
    "I planted the hedge last week.": ("2026-05-03T21:00:00-07:00", "2026-04-20"),
    "I planted the roses this month.": ("2026-01-31T23:00:00-03:00", "2026-01-01"),
    "I opened the bakery last year.": ("2026-01-01T00:30:00+12:00", "2025-01-01"),
    "I closed the bakery last year.": ("2025-12-31T23:30:00-12:00", "2024-01-01"),
    "I repaired the boiler two hours ago.": ("2026-03-09T01:00:00-04:00", "2026-03-08"),
    "I finished the quilt on Sunday.": ("2026-03-08T22:00:00-05:00", "2026-03-01"),
    "I bought the piano in December.": ("2025-11-30T22:00:00-09:00", "2024-12-01"),
}
"""Said near midnight, west and east of Greenwich: when, and when it happened."""


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The protection away: every time is read in UTC, whatever its offset."""
    modules: tuple[ModuleType, ...] = (entries, sources)
    for module in modules:
        monkeypatch.setattr(module, "local_time", lambda at, _offset: at.astimezone(UTC))


def add_all(user_id: UUID) -> None:
    """Add each in a conversation of its own, and build the stories."""
    for text, (sent_at, _) in SAID.items():
        at = datetime.fromisoformat(sent_at)
        begun = create_conversation(user_id=user_id, actor=TESTER, started_at=at)
        new = NewMemory(Payload("Ada", text, utc_offset=offset_of(at)), occurred_at=at)
        add_memories(user_id=user_id, conversation_id=begun.row.pk, memories=[new], actor=TESTER)
    build_all(user_id)


def happened(user_id: UUID) -> dict[str, str]:
    """When that which each sentence tells happened."""
    with as_user(user_id):
        vault = open_vault()
        said = {str(each.id): each.payload.text for each in open_memories(list(Memory.objects.of(user_id)), vault)}
        drafts = [open_draft(story, vault) for story in Story.objects.of(user_id)]
    return {said[event.message_id]: str(event.when) for draft in drafts for event in draft.events}


def found_on_their_day(user_id: UUID) -> int:
    """How many passages hold the words of the day on which they were said, where they were said."""
    with as_user(user_id):
        vault = open_vault()
        found = 0
        for memory in open_memories(list(Memory.objects.of(user_id)), vault):
            said_at = datetime.fromisoformat(SAID[memory.payload.text][0])
            [words] = Passage.objects.of(user_id).filter(memory_id=memory.id).values_list("words", flat=True)
            found += set(word_tokens(vault, date_words(said_at))) <= set(words)
    return found


EXPECTED = {text: when for text, (_, when) in SAID.items()}


def test_what_was_said_near_midnight_happened_on_the_day_of_who_said_it(ada: UUID) -> None:
    add_all(ada)
    assert happened(ada) == EXPECTED
    assert found_on_their_day(ada) == len(SAID)


def test_without_the_offset_most_would_be_off(ada: UUID, in_utc: None) -> None:
    """The negative control."""
    add_all(ada)
    assert sum(when == EXPECTED[text] for text, when in happened(ada).items()) <= len(SAID) // 3
    assert found_on_their_day(ada) < len(SAID) // 2


def test_imported_messages_have_their_day_too(db: None) -> None:
    lines = [
        {
            "user": {"firebase_uid": "traveller"},
            "conversation": {"id": f"c{number}"},
            "messages": [{"id": "m", "author": "Ada", "text": text, "sent_at": sent_at}],
        }
        for number, (text, (sent_at, _)) in enumerate(SAID.items())
    ]
    FileImport(actor=TESTER, strict=True).run(BytesIO("\n".join(map(json.dumps, lines)).encode()))
    user_id = find_person("traveller")
    build_all(user_id)
    assert happened(user_id) == EXPECTED
    assert found_on_their_day(user_id) == len(SAID)


def test_two_who_are_far_apart_have_each_their_own_day(ada: UUID) -> None:
    """In one conversation, a minute after one another."""
    at = datetime.fromisoformat("2026-04-10T23:40:00-06:00")
    begun = create_conversation(user_id=ada, actor=TESTER, started_at=at)
    said = [("Ada", "I repainted the shed yesterday.", -360), ("Mia", "I sold the canoe today.", 600)]
    for number, (author, text, offset) in enumerate(said):
        new = NewMemory(Payload(author, text, utc_offset=offset), occurred_at=at + timedelta(minutes=number))
        add_memories(user_id=ada, conversation_id=begun.row.pk, memories=[new], actor=TESTER)
    build_all(ada)
    assert happened(ada) == {said[0][1]: "2026-04-09", said[1][1]: "2026-04-11"}
