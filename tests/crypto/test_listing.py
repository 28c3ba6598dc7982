"""Listing opens nothing: a value is decrypted when somebody reads it, and then that one alone."""

from __future__ import annotations

from accounts.keys.services.data_keys import open_vault
from accounts.models import User, UserKey
from benchmarks.openings import openings
from memories.models import Conversation, Memory
from memories.payload import open_memories
from vibe.core.db.scopes import as_system, as_user


def test_listing_1000_memories_opens_none_of_them(ada, tell):
    tell(ada, "first", [("Ada", f"Message {number}.") for number in range(1000)])
    with openings() as counted, as_user(ada):
        rows = list(Memory.objects.of(ada))
        assert len(rows) == 1000
        assert len([str(row) + repr(row) + repr(row.payload) for row in rows]) == 1000
        assert len(list(Conversation.objects.of(ada).active())) == 1
        assert counted == {}
        assert len(open_memories(rows[:3], open_vault())) == 3
    assert counted == {"wrap": 1, "seal": 3}


def test_listing_people_opens_no_name_and_no_key(ada, jonas):
    with openings() as counted, as_system():
        assert len(list(User.objects.only("pk", "name"))) == 2
        assert len(list(UserKey.objects.all())) == 2
    assert counted == {}
