"""Everything of a person as an archive of theirs: whole, sealed, for them alone, for a time, and read back."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from io import BytesIO

import pytest

from accounts import tasks
from accounts.exporting import (
    export_link,
    export_status,
    open_export,
    request_export,
)
from accounts.models import AccessGrant, UserPreferences
from accounts.services import Profile, find_person
from memories.importing import FileImport
from memories.lines import ConversationLine, Message
from memories.models import Conversation
from memories.payload import Payload
from memories.services import import_conversations
from stories.services import build_story
from tests.conftest import DAY, TESTER
from vibe.db.contexts import as_support, as_user

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
SAID = [
    ("Ada", "I moved to Lisbon with Noor."),
    ("Companion", "How is it?"),
    ("Ada", "Sunny, and \u0001 loud \U0001f600."),
]


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.EXPORT_DIR = tmp_path / "exports"
    return settings.EXPORT_DIR


def exported(user_id):
    """Make an export as its job does, and open it as its link does."""
    export_id = request_export(user_id=user_id, actor=TESTER)
    tasks.export(str(user_id), str(export_id))
    return b"".join(open_export(token=link(user_id), actor=TESTER).chunks)


def link(user_id):
    return export_link(export_status(user_id=user_id))


def lines(archive, kind=""):
    read = [json.loads(line) for line in archive.splitlines()]
    return [line for line in read if line["type"].startswith(kind)]


def content(user_id):
    """What a person has, opened, without what an import makes anew."""
    return sorted(
        (
            line["conversation"]["id"],
            line["conversation"]["title"],
            line["conversation"]["description"],
            line["conversation"]["started_at"],
            line["conversation"]["archived"],
            message.get("id"),
            tuple(message.get("ids", ())),
            message.get("author"),
            message.get("text"),
            message.get("sent_at"),
        )
        for line in lines(exported(user_id), "vibe.conversation")
        for message in line["messages"] or [{}]
    )


@pytest.fixture
def full(ada, tell, supporter, settings):
    """Ada with something of every kind."""
    settings.GRANTS_ALLOW_SELF_APPROVAL = True
    tell(ada, "lisbon", SAID)
    tell(ada, "work", [("Ada", 'Mira\u2019s "café" \\ opens.')], at=DAY + timedelta(days=3))
    many = Message("m1", Payload("Ada", "Several at once."), DAY, also=("m2", 'q"uo\\te', "a,b{}"))
    line = ConversationLine(1, Profile(firebase_uid="-"), "several", None, "Notes", DAY, (many,), is_archived=True)
    empty = ConversationLine(2, Profile(firebase_uid="-"), "empty", "Nothing yet", None, DAY, ())
    import_conversations(user_id=ada, lines=[line, empty], actor=TESTER)
    with as_user(ada):
        UserPreferences(user_id=ada, data={"theme": "dark"}).save(force_insert=True)
        conversation = Conversation.objects.of(ada).get(external_id="lisbon").pk
    build_story(user_id=ada, conversation_id=conversation, actor=TESTER)
    with as_support():
        AccessGrant(
            user_id=ada,
            requested_by=supporter.pk,
            reason="Search finds nothing",
            ticket="T-1",
            duration=timedelta(hours=1),
        ).save(force_insert=True)
    return ada


def test_everything_of_a_person_is_in_it(full):
    archive = lines(exported(full))
    kinds = {line["type"] for line in archive}
    assert kinds == {
        *("vibe.export", "vibe.profile", "vibe.preferences", "vibe.grant", "vibe.access", "vibe.conversation"),
        *("vibe.story", "vibe.entity", "vibe.end"),
    }
    (profile,) = (line for line in archive if line["type"] == "vibe.profile")
    assert (profile["email"], profile["name"]) == ("ada@example.com", "Ada Tavares")
    (preferences,) = (line for line in archive if line["type"] == "vibe.preferences")
    assert preferences["data"] == {"theme": "dark"}
    (story,) = (line for line in archive if line["type"] == "vibe.story")
    assert story["text"] and "Lisbon" in story["places"] and story["conversation"] == "lisbon"
    assert {line["name"] for line in archive if line["type"] == "vibe.entity"} >= {"Ada", "Lisbon"}
    (grant,) = (line for line in archive if line["type"] == "vibe.grant")
    assert grant["reason"] == "Search finds nothing"
    assert {line["action"] for line in archive if line["type"] == "vibe.access"} >= {"person.create", "story.build"}
    assert archive[-1]["lines"] == Counter(line["type"] for line in archive[1:-1])


def test_exported_and_imported_into_an_empty_database_is_the_same(full, committed_person):
    before, archive = content(full), exported(full)
    committed_person(full)
    counts = FileImport(actor=TESTER).run(BytesIO(archive))
    assert (counts.refused, counts.conversations, counts.memories) == (0, 4, 5)
    again = find_person("ada@example.com")
    assert again != full
    assert content(again) == before


@pytest.fixture
def committed_person():
    """Make room for the same person again: the database has nothing of them any more."""
    from accounts.erasure import erase, request_erasure

    def gone(user_id):
        request_erasure(user_id=user_id, actor=TESTER, at_once=True)
        erase(user_id=user_id, actor=TESTER)

    return gone
