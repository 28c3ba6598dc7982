"""Everything of a person as an archive of theirs: whole, sealed, for them alone, for a time, and read back."""

from __future__ import annotations

import gc
import json
import os
import traceback
import tracemalloc
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from operator import itemgetter
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core import signing
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts import tasks
from accounts.export import files
from accounts.export import services as exporting
from accounts.export.archive import archive_lines
from accounts.export.services import (
    SALT,
    export_link,
    export_status,
    link_not_found,
    make_export,
    open_export,
    read_token,
    remove_expired,
    request_export,
)
from accounts.keys.services.data_keys import destroy_data_keys
from accounts.models import AccessGrant, UserPreferences
from accounts.people.services.account_status import set_active
from accounts.people.services.people import Profile, find_person
from accounts.people.services.preferences import change_preferences, preferences
from audit.actors import Actor, Origin
from audit.models import AuditLog
from audit.services import record
from memories import export_section
from memories.imports.lines import ConversationLine, Message
from memories.imports.services.conversations import import_conversations
from memories.imports.services.files import FileImport
from memories.models import Conversation, Memory
from memories.payload import Payload
from memories.roles import Role
from memories.services.changing import delete_memory
from stories.building.corrections import Changes
from stories.building.services.lineage import check_lineage
from stories.corrections.services.correcting import correct_story
from stories.facts.services.changing import FactChange, correct_fact, forget_fact
from stories.facts.services.reading import list_facts
from stories.models import Fact
from stories.processors.base import Event
from stories.reading.services import list_stories
from stories.search.services import search_stories
from tests.building import build_conversation
from tests.cast import DAY, TESTER
from tests.protections import unprotected
from vibe.core.crypto.errors import DataKeyMissing, SealBroken
from vibe.core.db.scopes import as_support, as_system, as_user
from vibe.core.errors import NotFound, Refused

pytestmark = pytest.mark.django_db

FORMAT_1 = Path(__file__).parent / "exports" / "format-1.jsonl"
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
            message.get("role"),
            message.get("text"),
            str(message.get("metadata")),
            message.get("sent_at"),
            message.get("expires_at"),
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
    picture = Payload("Nova", "", {"mime": "image/png", "width": 640, "shared": True}, -210)
    until = datetime(2100, 1, 1, tzinfo=UTC)
    seen = Message("m9", picture, DAY + timedelta(minutes=9), role=Role.ASSISTANT, expires_at=until)
    line = replace(line, messages=(many, seen))
    empty = ConversationLine(2, Profile(firebase_uid="-"), "empty", "Nothing yet", None, DAY, ())
    import_conversations(user_id=ada, lines=[line, empty], actor=TESTER)
    with as_user(ada):
        UserPreferences(user_id=ada, data={"theme": "dark"}).save(force_insert=True)
        conversation = Conversation.objects.of(ada).get(external_id="lisbon").pk
    build_conversation(ada, conversation)
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
        *("vibe.story", "vibe.entity", "vibe.fact", "vibe.end"),
    }
    (profile,) = (line for line in archive if line["type"] == "vibe.profile")
    assert (profile["email"], profile["name"]) == ("ada@example.com", "Ada Tavares")
    (preferences,) = (line for line in archive if line["type"] == "vibe.preferences")
    assert preferences["data"] == {"theme": "dark"}
    (story,) = (line for line in archive if line["type"] == "vibe.story" and line["conversation"] == "lisbon")
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
    assert (counts.refused, counts.conversations, counts.memories) == (0, 4, 6)
    again = find_person("ada@example.com")
    assert again != full
    assert content(again) == before


def test_a_message_is_exported_with_all_that_it_has(full):
    [line] = [each for each in lines(exported(full), "vibe.conversation") if each["conversation"]["id"] == "several"]
    assert line["messages"] == [
        {
            "id": "m1",
            "ids": ["m1", "m2", 'q"uo\\te', "a,b{}"],
            "author": "Ada",
            "role": "user",
            "text": "Several at once.",
            "sent_at": "2026-05-12T09:30:00+00:00",
        },
        {
            "id": "m9",
            "author": "Nova",
            "role": "assistant",
            "text": "",
            "metadata": {"mime": "image/png", "width": 640, "shared": True},
            "sent_at": "2026-05-12T06:09:00-03:30",
            "expires_at": "2100-01-01T00:00:00+00:00",
        },
    ]


def test_an_export_of_format_1_is_read(db):
    """It was made by the code of that format, of the same person as here."""
    archive = FORMAT_1.read_bytes()
    assert lines(archive)[0]["format"] == 1
    counts = FileImport(actor=TESTER).run(BytesIO(archive))
    assert (counts.refused, counts.conversations, counts.memories, counts.restored) == (0, 4, 5, 2)
    assert FileImport(actor=TESTER).run(BytesIO(archive)).unchanged == 5
    ada = find_person("ada@example.com")
    given = [message for line in lines(archive, "vibe.conversation") for message in line["messages"]]
    kept = [message for line in lines(exported(ada), "vibe.conversation") for message in line["messages"]]
    roles = {"Ada": "user", "Companion": "assistant"}
    told = [{**message, "role": roles[message["author"]]} for message in given]
    in_order = itemgetter("sent_at", "text")
    assert sorted(kept, key=in_order) == sorted(told, key=in_order)


def test_what_has_expired_is_in_no_export(full):
    with as_user(full):
        rows = Memory.objects.of(full).filter(message_ids=["m9"])
        assert rows.update(expires_at=timezone.now()) == 1
    archive = lines(exported(full))
    assert "m9" not in [each["id"] for line in archive if "messages" in line for each in line["messages"]]


def test_what_the_person_had_set_and_corrected_comes_back(full, committed_person):
    """As it stood, also once the story has been told anew: beside the preferences, the title, names and events."""
    story = story_of(full, "lisbon")
    mine = Event("Ada", "moved in", date(2026, 5, 8), "day", str(story.memory_ids[0]))
    changes = Changes(title="The year of the tram", places=["Bel\u00e9m"], events=[mine])
    correct_story(user_id=full, story_id=story.id, changes=changes, actor=TESTER)
    archive = exported(full)
    committed_person(full)
    counts = FileImport(actor=TESTER).run(BytesIO(archive))
    kinds = Counter(line["type"] for line in lines(archive))
    assert (counts.refused, counts.restored) == (0, 2)
    others = ("vibe.access", "vibe.grant", "vibe.entity", "vibe.fact", "vibe.end")
    assert counts.passed_over == sum(kinds[each] for each in others) + kinds["vibe.story"] - 1
    again = find_person("ada@example.com")
    with as_user(again):
        assert preferences(again).data == {"theme": "dark"}
    for told in (False, True):
        if told:
            tell_all(again)
        after = next(each for each in stories_of(again) if each.corrected)
        assert (after.title, after.places, after.corrected) == (
            changes.title,
            ("Bel\u00e9m",),
            ("title", "places", "events"),
        )
        assert after.events == (replace(mine, message_id=str(memory_of(again, "lisbon", "m1"))),)
    assert "Noor" in after.text and after.people != ()
    found = search_stories(user_id=again, question="tram", actor=TESTER, limit=1).stories
    assert [each.title for each in found] == [changes.title]
    assert check_lineage(user_id=again, actor=TESTER).faults == []


def test_facts_are_in_it_and_what_the_person_said_of_them_comes_back(ada, tell, committed_person):
    said = ["I live in Berlin.", "I live in Rome.", "I love figs.", "My phone number is 0555 111 222."]
    tell(ada, "facts", [("Ada", text) for text in said])
    tell_all(ada)
    ids = {fact.value: fact.id for fact in list_facts(user_id=ada, actor=TESTER)}
    correct_fact(user_id=ada, fact_id=ids["Rome"], change=FactChange("Porto"), actor=TESTER)
    forget_fact(user_id=ada, fact_id=ids["0555 111 222"], actor=TESTER)
    before, archive = facts_of(ada), exported(ada)
    assert "0555" not in str(lines(archive, "vibe.fact"))
    (figs,) = (line for line in lines(archive, "vibe.fact") if line.get("value") == "figs")
    assert figs["said_in"][0]["conversation"] == "facts"
    committed_person(ada)
    for _ in range(2):  # the second time nothing comes twice
        counts = FileImport(actor=TESTER).run(BytesIO(archive))
        assert counts.refused == 0
    again = find_person("ada@example.com")
    tell_all(again)
    assert facts_of(again) == before
    assert [value for value, *_ in before] == ["Porto", "figs", "Berlin"]
    with as_user(again):
        assert Fact.objects.of(again).filter(memory=None).count() == 2
    assert check_lineage(user_id=again, actor=TESTER).faults == []


def facts_of(user_id):
    """All facts by what they say."""
    facts = list_facts(user_id=user_id, actor=TESTER, history=True)
    return [(fact.value, fact.attribute, fact.valid_from, fact.valid_to, fact.corrected) for fact in facts]


@pytest.mark.parametrize("wrong", [{"attribute": "homes"}, {"said_in": 5}, {"corrected_at": "soon"}, {"value": None}])
def test_a_fact_that_is_none_is_named_by_its_line(full, wrong):
    good = {"type": "vibe.fact", "subject": "", "attribute": "home", "value": "Porto", "said_in": []}
    good |= {"corrected_at": "2026-05-12T09:30:00+00:00"}
    head = {"type": "vibe.profile", "firebase_uid": "ada", "email": "ada@example.com", "name": "Ada"}
    archive = "\n".join(map(json.dumps, [head, good | wrong])).encode()
    counts = FileImport(actor=TESTER).run(BytesIO(archive))
    assert (counts.refused, counts.restored) == (1, 0)


def test_a_correction_goes_again_with_a_message_it_was_made_over(full, committed_person):
    story = story_of(full, "lisbon")
    correct_story(user_id=full, story_id=story.id, changes=Changes(title="The year of the tram"), actor=TESTER)
    archive = exported(full)
    committed_person(full)
    FileImport(actor=TESTER).run(BytesIO(archive))
    again = find_person("ada@example.com")
    delete_memory(user_id=again, memory_id=memory_of(again, "lisbon", "m2"), actor=TESTER)
    tell_all(again)
    assert not any(each.corrected for each in stories_of(again))


def test_what_is_there_already_stays(full):
    """Read back beside newer words and settings, an archive changes neither."""
    story = story_of(full, "lisbon")
    correct_story(user_id=full, story_id=story.id, changes=Changes(title="Older"), actor=TESTER)
    archive = exported(full)
    correct_story(user_id=full, story_id=story.id, changes=Changes(title="Newer"), actor=TESTER)
    change_preferences(user_id=full, patch={"theme": "light"}, actor=TESTER)
    counts = FileImport(actor=TESTER).run(BytesIO(archive))
    assert (counts.restored, counts.refused) == (0, 0)
    assert story_of(full, "lisbon").title == "Newer"
    with as_user(full):
        assert preferences(full).data["theme"] == "light"


BAD: dict[str, dict[str, object]] = {
    "a field that is none": {"corrected": ["embedding"]},
    "fields that are no list": {"corrected": "title"},
    "no title": {"title": None},
    "an empty title": {"title": " "},
    "a long title": {"title": "x" * 301},
    "a title with NUL": {"title": "\0"},
    "a title that is no text": {"title": {"a": 1}},
    "half a surrogate pair": {"title": "\ud800"},
    "another conversation": {"conversation": "nowhere"},
    "a conversation that is no text": {"conversation": ["lisbon"]},
    "a conversation of nothing": {"conversation": "empty", "corrected_from": []},
    "a message that is not there": {"corrected_from": ["m1", "m77"]},
    "messages that are no list": {"corrected_from": {"m1": 1}},
    "no time": {"corrected_at": "yesterday"},
    "a time without a zone": {"corrected_at": "2026-05-12T09:30:00"},
    "events that are none": {"corrected": ["events"], "events": [7]},
    "an event of a day that is none": {"corrected": ["events"], "events": [{"who": "Ada", "what": "ran", "when": "x"}]},
    "an event of a number": {"corrected": ["events"], "events": [{"who": 3, "what": "ran"}]},
    "an event of no precision": {"corrected": ["events"], "events": [{"what": "ran", "precision": ["day"]}]},
    "people that are no list": {"corrected": ["people"], "people": "Noor"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_correction_that_is_none_is_named_by_its_line_and_the_others_go_in(full, name):
    """Of the hostile line nothing is left, and nothing of it is said again."""
    before = stories_of(full)
    frame = [json.dumps({"type": "vibe.profile", "firebase_uid": "ada"})]
    good = {"type": "vibe.story", "conversation": "lisbon", "corrected": ["title"], "title": "Mine"}
    good |= {"corrected_at": "2026-05-12T09:30:00Z", "corrected_from": ["m1", "m2", "m3"]}
    refused = []
    run = FileImport(actor=TESTER, on_refused=lambda problem: refused.append(str(problem)))
    counts = run.run(BytesIO("\n".join([*frame, json.dumps(good | BAD[name])]).encode()))
    assert (counts.refused, counts.restored, len(refused)) == (1, 0, 1)
    assert refused[0].startswith("line 2: ") and "xxx" not in refused[0]
    assert stories_of(full) == before
    assert run.run(BytesIO("\n".join([*frame, json.dumps(good)]).encode())).restored == 1, "the control"


PREFERENCES = {
    "no object": [1],
    "too much": {"a": "x" * 70_000},
    "a number that is none": {"a": float("nan")},
    "NUL": {"a": "\0"},
    "too deep": json.loads('{"a":' * 40 + "1" + "}" * 40),
}


@pytest.mark.parametrize("name", PREFERENCES)
def test_preferences_that_are_none_are_named_by_their_line(jonas, name):
    text = json.dumps({"type": "vibe.profile", "firebase_uid": "jonas"}) + "\n"
    bad = text + json.dumps({"type": "vibe.preferences", "data": PREFERENCES[name]})
    counts = FileImport(actor=TESTER).run(BytesIO(bad.encode()))
    assert (counts.refused, counts.restored) == (1, 0)
    with as_user(jonas):
        assert preferences(jonas).data == {}


def test_lines_before_that_of_their_person_are_nobodys(db):
    line = json.dumps({"type": "vibe.preferences", "data": {"theme": "dark"}})
    archive = f'{{"type": "vibe.profile", "firebase_uid": "ada"}}\n{{"type": "vibe.export"}}\n{line}\n'
    counts = FileImport(actor=TESTER).run(BytesIO(archive.encode()))
    assert (counts.refused, counts.restored) == (1, 0)


def stories_of(user_id):
    return list_stories(user_id=user_id, actor=TESTER)


def story_of(user_id, conversation):
    """The one story of a conversation."""
    with as_user(user_id):
        conversation_id = Conversation.objects.of(user_id).get(external_id=conversation).pk
    (story,) = (each for each in stories_of(user_id) if each.conversation_id == conversation_id)
    return story


def memory_of(user_id, conversation, name):
    with as_user(user_id):
        rows = Memory.objects.of(user_id).filter(conversation__external_id=conversation)
        return rows.get(message_ids__contains=[name]).pk


def tell_all(user_id):
    with as_user(user_id):
        ids = list(Conversation.objects.of(user_id).values_list("pk", flat=True))
    for conversation_id in ids:
        build_conversation(user_id, conversation_id)


@pytest.fixture
def committed_person():
    """Make room for the same person again: the database has nothing of them any more."""
    from accounts.erasure.services import erase, request_erasure

    def gone(user_id):
        request_erasure(user_id=user_id, actor=TESTER, at_once=True)
        erase(user_id=user_id, actor=TESTER)

    return gone


# The job, and the file


def test_the_archive_is_for_reading_too(full):
    """Every line is JSON for itself, times have zones, and the first and last line frame it."""
    archive = exported(full)
    read = lines(archive)
    assert read[0] | {"made_at": ""} == {
        "type": "vibe.export",
        "format": 2,
        "of": "person",
        "person": str(full),
        "made_at": "",
    }
    assert archive.endswith(b"\n") and len(read) == archive.count(b"\n")
    assert "caf\u00e9".encode() in archive, "texts are UTF-8, not escapes"
    assert "\U0001f600".encode() in archive


def test_where_others_did_something_from_is_theirs(full):
    staff = Actor.staff(UUID(int=5), Origin(user_agent="desk"))
    own = Actor.person(full, Origin(user_agent="phone"))
    with as_user(full):
        record(actor=staff, action="content.view", subject=full)
        record(actor=own, action="story.read", subject=full)
    told = {line["action"]: line for line in lines(exported(full), "vibe.access")}
    assert told["story.read"]["user_agent"] == "phone"
    assert "user_agent" not in told["content.view"] and "ip" not in told["content.view"]


def test_a_long_conversation_takes_several_lines_and_no_page_is_large(ada, monkeypatch):
    monkeypatch.setattr(export_section, "MESSAGES_A_PAGE", 7)
    monkeypatch.setattr(export_section, "BYTES_A_PAGE", 2_000)
    monkeypatch.setattr(export_section, "CONVERSATIONS_A_PAGE", 3)
    given = [
        ConversationLine(
            number, Profile(firebase_uid="-"), f"c{number}", f"Title {number}", None, DAY,
            tuple(
                Message(f"m{at}", Payload("Ada", "word " * (1 + at * 13 % 200)), DAY + timedelta(seconds=at // 2))
                for at in range(number * 7 % 23)
            ),
        )
        for number in range(30)
    ]  # fmt: skip
    given.append(ConversationLine(99, Profile(firebase_uid="-"), "last", None, None, DAY, ()))
    import_conversations(user_id=ada, lines=given, actor=TESTER)
    written = lines(exported(ada), "vibe.conversation")
    assert max(len(line["messages"]) for line in written) <= 7
    assert max(sum(len(message["text"]) for message in line["messages"]) for line in written) < 4_000
    read = {line["conversation"]["id"]: [] for line in written}
    for line in written:
        read[line["conversation"]["id"]] += [(m["id"], m["text"], m["sent_at"]) for m in line["messages"]]
    wanted = {
        line.external_id: sorted((m.id, m.payload.text, m.sent_at.isoformat()) for m in line.messages) for line in given
    }
    assert {name: sorted(said) for name, said in read.items()} == wanted


def test_memory_does_not_grow_with_the_person(ada, tmp_path):
    """Twelve times as much takes hardly more."""

    def peak(number):
        said = tuple(Message(f"{number}-{at}", Payload("Ada", "x" * 20_000), DAY) for at in range(300))
        line = ConversationLine(1, Profile(firebase_uid="-"), f"c{number}", None, None, DAY, said)
        import_conversations(user_id=ada, lines=[line], actor=TESTER)
        gc.collect()
        tracemalloc.start()
        size = 0
        for each, _ in archive_lines(ada):
            size += len(json.dumps(each))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size, most

    first, *_, last = [peak(number) for number in range(5)]
    assert last[0] > 4 * first[0] > 20_000_000
    assert last[1] < 2 * first[1] and last[1] < 20_000_000


def test_the_file_holds_nothing_in_clear(full):
    exported(full)
    (path,) = settings.EXPORT_DIR.iterdir()
    stored = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    for said in (b"Lisbon", b"Ada", b"vibe.", b"ada@example.com", b"theme"):
        assert said not in stored
    assert b"Lisbon" in exported(full), "the control: opened it is there"


def test_a_file_that_was_meddled_with_is_not_handed_out(full):
    exported(full)
    path = settings.EXPORT_DIR / files.name_of(export_status(user_id=full).pk)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SealBroken):
        b"".join(open_export(token=link(full), actor=TESTER).chunks)


def test_one_persons_file_in_anothers_place_does_not_open(full, jonas):
    exported(full)
    exported(jonas)
    ours, theirs = (settings.EXPORT_DIR / files.name_of(export_status(user_id=each).pk) for each in (full, jonas))
    theirs.write_bytes(ours.read_bytes())
    with pytest.raises(SealBroken):
        open_export(token=link(jonas), actor=TESTER)


def test_without_the_key_the_file_is_nothing(full):
    exported(full)
    token = link(full)
    destroy_data_keys(user_id=full, actor=TESTER)
    with pytest.raises(DataKeyMissing):
        open_export(token=token, actor=TESTER)


def test_progress_is_told_while_it_is_made(full, monkeypatch):
    monkeypatch.setattr(export_section, "MESSAGES_A_PAGE", 1)
    told = []
    keep = exporting.note_progress
    monkeypatch.setattr(exporting, "note_progress", lambda *given: (keep(*given), told.append(percent(full))))
    exported(full)
    assert told == sorted(set(told)) and len(told) > 5 and 0 < told[0] < 50 and told[-1] == 99
    assert percent(full) == 100


def percent(user_id):
    return export_status(user_id=user_id).progress


def test_asked_for_twice_it_is_made_once(full):
    first = request_export(user_id=full, actor=TESTER)
    assert request_export(user_id=full, actor=TESTER) == first
    with as_system():
        jobs = ProcrastinateJob.objects.filter(task_name="accounts.export")
        assert [job.args for job in jobs] == [{"user_id": str(full), "export_id": str(first)}]


def test_a_job_that_comes_again_makes_nothing(full):
    exported(full)
    export_id = export_status(user_id=full).pk
    assert not make_export(user_id=full, export_id=export_id, actor=TESTER)


def test_the_next_export_replaces_the_file_of_the_last(full):
    exported(full)
    old = link(full)
    exported(full)
    assert len(list(settings.EXPORT_DIR.iterdir())) == 1
    with pytest.raises(NotFound):
        open_export(token=old, actor=TESTER)


def test_an_export_that_fails_says_so_without_content_and_leaves_nothing(full, monkeypatch):
    def fails(*_):
        raise RuntimeError("I moved to Lisbon with Noor.")

    export_id = request_export(user_id=full, actor=TESTER)
    monkeypatch.setattr(export_section, "message", fails)
    with pytest.raises(tasks.ExportFailed) as problem:
        tasks.export(str(full), str(export_id))
    assert "Lisbon" not in "".join(traceback.format_exception(problem.value))
    failed = export_status(user_id=full)
    assert (failed.state, failed.problem) == ("failed", "RuntimeError")
    assert list(settings.EXPORT_DIR.iterdir()) == []
    with pytest.raises(NotFound):
        export_link(failed)
    monkeypatch.undo()
    assert request_export(user_id=full, actor=TESTER) != export_id


def test_an_export_nobody_makes_any_more_does_not_stand_in_the_way(full):
    old = request_export(user_id=full, actor=TESTER)
    with unprotected("exports") as cursor:
        cursor.execute("UPDATE exports SET requested_at = now() - interval '2 days'")
    assert request_export(user_id=full, actor=TESTER) != old


# The link


def test_a_download_is_in_the_trail(full):
    exported(full)
    export_id = export_status(user_id=full).pk
    with as_system():
        told = AuditLog.objects.about(full).of(f"exports/{export_id}").values_list("action", flat=True)
        assert set(told) == {"export.request", "export.make", "export.download"}


def test_the_link_is_for_its_person(full, jonas):
    exported(full)
    token = link(full)
    assert open_export(token=token, actor=TESTER, user_id=full).user_id == full
    with pytest.raises(NotFound) as problem:
        open_export(token=token, actor=TESTER, user_id=jonas)
    assert str(problem.value) == str(link_not_found())


def forged(full, jonas):
    export_id = export_status(user_id=full).pk
    yield "junk"
    yield ""
    yield "x" * 100_000
    yield link(full)[:-1] + ("A" if link(full)[-1] != "A" else "B")
    yield signing.dumps([export_id.hex, jonas.hex], salt=SALT)  # signed, of a file of another
    yield signing.dumps([uuid4().hex, full.hex], salt=SALT)
    yield signing.dumps([export_id.hex, full.hex], salt="another use")
    yield signing.dumps([export_id.hex, full.hex], key="another key", salt=SALT)
    yield signing.dumps(export_id.hex, salt=SALT)
    yield signing.dumps({"a": 1}, salt=SALT)
    yield signing.dumps([1, 2], salt=SALT)


def test_a_forged_link_is_like_one_that_never_was(full, jonas):
    exported(full)
    for token in forged(full, jonas):
        with pytest.raises(NotFound) as problem:
            open_export(token=token, actor=TESTER)
        assert str(problem.value) == str(link_not_found())
    assert open_export(token=link(full), actor=TESTER).size


def test_deactivated_people_have_no_export_and_no_link(full):
    exported(full)
    token = link(full)
    set_active(user_id=full, active=False, actor=TESTER)
    with pytest.raises(NotFound):
        open_export(token=token, actor=TESTER)
    with pytest.raises(Refused):
        request_export(user_id=full, actor=TESTER)
    set_active(user_id=full, active=True, actor=TESTER)
    assert open_export(token=token, actor=TESTER).size


def test_the_link_ends_with_its_time_and_the_file_is_removed(full, settings):
    settings.EXPORT_LINK_HOURS = 0
    exported_id = request_export(user_id=full, actor=TESTER)
    make_export(user_id=full, export_id=exported_id, actor=TESTER)
    token = link(full)
    settings.EXPORT_LINK_HOURS = 72
    with pytest.raises(NotFound):
        open_export(token=token, actor=TESTER)
    assert remove_expired(actor=TESTER) == 1
    assert list(settings.EXPORT_DIR.iterdir()) == []
    assert export_status(user_id=full).state == "removed"
    assert remove_expired(actor=TESTER) == 0


def test_a_link_is_too_old_whatever_the_row_says(full, settings):
    exported(full)
    token = link(full)
    settings.EXPORT_LINK_HOURS = 0
    with pytest.raises(NotFound):
        read_token(token)


def test_files_of_no_export_are_removed_and_those_of_others_stay(full, jonas):
    exported(full)
    kept = set(settings.EXPORT_DIR.iterdir())
    stray = settings.EXPORT_DIR / files.name_of(uuid4())
    stray.write_bytes(b"left")
    old, young = (settings.EXPORT_DIR / f"{uuid4()}.{name}.part" for name in ("old", "young"))
    for draft in (old, young):
        draft.write_bytes(b"left")
    os.utime(old, (0, 0))
    assert remove_expired(actor=TESTER) == 2
    assert set(settings.EXPORT_DIR.iterdir()) == kept | {young}
