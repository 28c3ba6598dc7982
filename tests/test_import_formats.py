"""Exports of other programs: what comes in of each, what is passed over, and what broken files do."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from accounts.keys.services.data_keys import open_vault
from accounts.people.services.people import Profile, profile_of
from audit.models import AuditLog
from memories.imports.lines import BadLine, NamesAnother
from memories.imports.readers import json_events
from memories.imports.readers.reading import Reading, UnreadableFile
from memories.imports.services.files import READ_BY, FileImport, opened
from memories.imports.services.files import Counted as Stream
from memories.models import Conversation, Memory
from memories.payload import open_memories
from tests.cast import TESTER
from tests.protections import unprotected
from vibe.core.db.scopes import as_support, as_user

SAMPLES = Path(__file__).parent / "imports"
ADA = Profile("ada")
LISBON = ZoneInfo("Europe/Lisbon")
SECRET = "I am afraid of the sea."
FOREIGN = {
    "chatgpt": "chatgpt.json",
    "claude": "claude.json",
    "telegram": "telegram-account.json",
    "whatsapp": "whatsapp-android.txt",
}


def sample(name):
    return (SAMPLES / name).read_bytes()


def read(form, content, **how):
    """The lines of a file, its problems, and what was passed over."""
    reading = Reading(owner=ADA, **{"zone": LISBON, **how})
    given = content if hasattr(content, "read") else io.BytesIO(content)
    found = list(READ_BY[form](opened(Stream(given)), reading))
    problems = [str(each) for each in found if isinstance(each, BadLine)]
    return [each for each in found if not isinstance(each, BadLine)], problems, +reading.passed_over


def said(line):
    return [(each.id, each.payload.author, str(each.role), each.payload.text) for each in line.messages]


def test_chatgpt_is_read_from_its_current_node_with_times_filled_in():
    lines, problems, passed_over = read("chatgpt", sample("chatgpt.json"))
    ferry, choir = lines
    assert said(ferry) == [
        ("n-question", "User", "user", "My dog Pixel comes along. Which ferry takes dogs?"),
        ("n-call", "browser", "tool", "search('ferry dogs')"),
        ("n-result", "browser", "tool", "Transtejo: dogs on a lead"),
        ("n-answer-2", "ChatGPT", "assistant", "The Transtejo ferry takes dogs on a lead."),
    ]
    assert (ferry.external_id, ferry.title) == ("6f9d1c52-7a13-4a55-9a10-0a3f3c1b2d4e", "Moving to Lisbon")
    assert ferry.messages[0].sent_at == ferry.started_at == datetime(2026, 5, 12, 7, 30, 0, 500_000, tzinfo=UTC)
    assert ferry.messages[0].payload.metadata == {"attachments": "pixel.jpg"}
    assert said(choir) == [("b", "User", "user", "I sing in a choir.")]  # without a current node: the latest leaf
    assert problems == []
    assert passed_over == {
        "messages of other branches": 1,
        "hidden messages": 2,
        "reasoning and calls of tools": 1,
        "attachments": 1,
        "messages without a text": 1,
        "conversations without messages": 1,
    }


def test_a_tree_that_runs_in_a_circle_or_names_nobody_ends():
    node = {"message": {"author": None, "content": {"content_type": "text", "parts": [SECRET, None, 7]}}}
    tree = {"a": {**node, "parent": "b"}, "b": {**node, "parent": "a"}, "c": None, "": node}
    file = [{"conversation_id": "x", "create_time": 1778571000, "mapping": tree, "current_node": "a"}]
    [line], problems, _ = read("chatgpt", json.dumps(file).encode())
    assert sorted(each.id for each in line.messages) == ["a", "b"]
    assert {each.role for each in line.messages} == {"other"}
    assert problems == []


def test_claude_is_read_by_the_parts_of_its_messages():
    [line], problems, passed_over = read("claude", sample("claude.json"))
    assert said(line) == [
        ("m-1", "User", "user", "Which ferry takes dogs?"),
        ("m-2", "Claude", "assistant", "Let me look.\n\nThe Transtejo ferry does."),
        ("m-3", "User", "user", "Thank you."),
    ]
    assert line.messages[0].payload.metadata == {"attachments": "timetable.txt, pixel.jpg"}
    assert line.messages[2].sent_at == line.messages[1].sent_at  # a missing time is that of the one before
    assert problems == []
    assert passed_over == {
        "reasoning and calls of tools": 3,
        "attachments": 3,
        "messages without a text": 1,
        "conversations without messages": 1,
    }


def test_telegram_is_read_by_chats_without_names_in_ids():
    lines, problems, passed_over = read("telegram", sample("telegram-account.json"))
    jonas, saved = lines
    assert said(jonas) == [
        ("2", "Ada Tavares", "user", "I moved to Lisbon, see https://example.org."),
        ("3", "Jonas Solheim", "other", "My new boat!"),
        ("5", "Ada Tavares", "other", "I live in Oslo."),  # forwarded: somebody else's words
    ]
    assert (jonas.external_id, jonas.title) == ("telegram-1778571000-2", "Jonas Solheim")
    assert jonas.messages[0].sent_at == datetime(2026, 5, 12, 7, 30, tzinfo=UTC)
    assert jonas.messages[0].payload.utc_offset == 120  # as the export's own local time says
    assert jonas.messages[1].payload.metadata == {"attachments": "photo"}
    assert said(saved) == [("6", "Ada Tavares", "user", "Buy rope.")]
    assert saved.messages[0].sent_at == datetime(2026, 5, 13, 8, 30, tzinfo=UTC)  # by the zone that was given
    assert problems == []
    assert passed_over == {
        "service messages": 1,
        "attachments": 2,
        "messages without a text": 1,
        "messages of channels": 1,
        "conversations without messages": 1,
    }
    assert read("telegram", sample("telegram-account.json"), zone=None)[2]["messages without a time"] == 1


def test_one_chat_of_telegram_tells_the_bot_from_the_person():
    [line], problems, passed_over = read("telegram", sample("telegram-chat.json"))
    assert [(each.payload.author, str(each.role)) for each in line.messages] == [
        ("Ada", "user"),
        ("Companion", "assistant"),
        ("Deleted account", "user"),
    ]
    assert (problems, passed_over) == ([], {"entries of an unknown form": 1})
    [line], _, _ = read("telegram", sample("telegram-chat.json"), me="Ada")
    assert str(line.messages[2].role) == "assistant"


def test_whatsapp_of_android_is_read_with_its_order_of_dates_found():
    [line], problems, passed_over = read("whatsapp", sample("whatsapp-android.txt"), me="Ada")
    assert said(line) == [
        ("2026-12-05T09:30:00/1", "Ada", "user", "I moved to Lisbon.\n\nNote: the flat has a balcony."),
        ("2026-12-05T09:30:00/2", "Jonas Solheim", "other", "At last!"),
        ("2026-12-05T09:32:00/1", "Jonas Solheim", "other", "My boat"),
        ("2026-12-13T20:00:00/1", "Ada", "user", "Pixel is ill."),
    ]
    assert line.external_id == "whatsapp-2026-12-05T09:30:00"
    assert line.messages[2].payload.metadata == {"attachments": "IMG-20261205-WA0001.jpg"}
    assert problems == []
    assert passed_over == {"service messages": 2, "attachments": 2, "messages without a text": 1}


def test_whatsapp_of_ios_is_read_with_halves_of_the_day():
    [line], problems, passed_over = read("whatsapp", sample("whatsapp-ios.txt"), conversation="chat-1")
    assert said(line) == [
        ("2026-05-12T21:30:15/1", "Ada", "None", "I moved to Lisbon."),
        ("2026-05-13T00:05:00/1", "Jonas Solheim", "None", "My boat"),
    ]
    assert line.external_id == "chat-1"
    assert line.messages[0].sent_at == datetime(2026, 5, 12, 20, 30, 15, tzinfo=UTC)
    assert problems == ["line 5: its date is none in the order of the others (--dates)"]
    assert passed_over == {"service messages": 1, "attachments": 2, "messages without a text": 1}


@pytest.mark.parametrize(
    ("first", "time"),
    [
        ("2026-05-12, 09:30 - ", "2026-05-12T09:30:00"),
        ("31.05.26, 09:30 - ", "2026-05-31T09:30:00"),
        ("[31.05.2026, 09:30:07] ", "2026-05-31T09:30:07"),
        ("05/31/26, 12:30\u202fAM - ", "2026-05-31T00:30:00"),
        ("31/5/2026 9:30 p. m. - ", "2026-05-31T21:30:00"),
    ],
)
def test_dates_of_whatsapp_in_many_countries(first, time):
    [line], problems, _ = read("whatsapp", f"{first}Ada: Hello: you.\n".encode())
    assert (said(line)[0][0], said(line)[0][3], problems) == (f"{time}/1", "Hello: you.", [])


def test_dates_that_may_be_read_in_two_ways_are_asked_for():
    with pytest.raises(UnreadableFile, match=r"Say it \(--dates\)"):
        read("whatsapp", b"05/06/2026, 09:30 - Ada: Hello.\n")
    for dates, month in (("day-first", 6), ("month-first", 5)):
        [line], _, _ = read("whatsapp", b"05/06/2026, 09:30 - Ada: Hello.\n", dates=dates)
        assert line.messages[0].sent_at.month == month
    with pytest.raises(UnreadableFile, match="--time-zone"):
        read("whatsapp", b"31/06/2026, 09:30 - Ada: Hello.\n", zone=None)


@pytest.mark.parametrize("form", FOREIGN)
def test_a_file_cut_anywhere_gives_what_came_before_and_says_where(form):
    """Cut anywhere: something is read, or nothing; what is read is right; nothing but our own errors is raised."""
    whole = sample(FOREIGN[form])
    right = {message for line in read(form, whole)[0] for message in said(line)}
    seen = []
    for end in range(0, len(whole), 7):
        try:
            lines, problems, _ = read(form, whole[:end])
        except UnreadableFile:
            continue
        texts = {message for line in lines for message in said(line)}
        if form != "whatsapp":
            assert texts <= right
            assert problems or end > whole.rstrip().rfind(b"]")
        seen.append(len(texts))
    assert seen and seen == sorted(seen)


@pytest.mark.parametrize("form", ["chatgpt", "claude", "telegram"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"{}",
        b"[1, 2, null]",
        b'{"messages": 7}',
        b"[" * 100_000,
        b"\xff\xfe[\x00",
        json.dumps([{"secret": SECRET}]).encode("utf-16"),
        b'[{"uuid": "a", "chat_messages": [null, {"uuid": 7}], "conversation_id": "a", "mapping": {"a": 1}}]',
        b'{"messages": [{"id": 1, "type": "message", "date": [], "text": [7, {"text": {}}], "from": {}}]}',
        b'[{"uuid": "a", "chat_messages": {}}, {"conversation_id": {}, "mapping": []}]',
        b'[{"title": "' + SECRET.encode() + b'", }]',
    ],
)
def test_a_broken_file_is_named_and_never_quoted(form, content):
    try:
        lines, problems, passed_over = read(form, content)
    except UnreadableFile as problem:
        lines, problems, passed_over = [], [str(problem)], {}
    assert lines == []
    assert problems or passed_over
    assert SECRET not in str(problems)


@pytest.mark.parametrize("form", READ_BY)
def test_a_zip_or_html_instead_of_the_file_is_named(form):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("conversations.json", sample("chatgpt.json"))
    with pytest.raises(UnreadableFile, match="is a zip archive"):
        read(form, packed.getvalue())
    with pytest.raises(UnreadableFile, match="is HTML"):
        read(form, b"\n<!doctype html><html>")


class Endless(io.RawIOBase):
    """A start, and then the same bytes for ever; fails the test when more than a few megabytes of it are read."""

    def __init__(self, start, again, most=40_000_000):
        self.start, self.again, self.most = start, again * (65_536 // len(again)), most

    def read(self, size=-1):
        part, self.start = (self.start or self.again)[:size], self.start[size:]
        self.most -= len(part)
        assert self.most > 0, "read on and on"
        return part


@pytest.mark.parametrize("again", [b"x", b'\\"', b"\\\\", b"9", b" "])
@pytest.mark.parametrize("form", ["chatgpt", "claude", "telegram"])
@override_settings(IMPORT_LINE_LIMIT=1_000_000)
def test_a_text_without_an_end_stops_the_reading_before_it_fills_the_memory(form, again):
    start = b'{"messages": [{"text": ' if form == "telegram" else b'[{"title": '
    source = Endless(start + (b"" if again in b"9 " else b'"'), again)
    try:
        [problem] = read(form, source)[1]  # of a chat that has begun
    except UnreadableFile as nothing:
        problem = str(nothing)
    assert "holds a text longer than 1,000,000 bytes (IMPORT_LINE_LIMIT)" in problem


def test_control_without_the_guard_such_a_text_is_read_on_and_on(monkeypatch):
    monkeypatch.setattr(json_events, "QuoteGuard", lambda source, _: source)
    with override_settings(IMPORT_LINE_LIMIT=1_000_000), pytest.raises(AssertionError, match="read on and on"):
        read("chatgpt", Endless(b'[{"title": "', b"x", most=8_000_000))


@override_settings(IMPORT_LINE_LIMIT=20_000)
def test_a_conversation_over_the_limit_is_left_out_and_the_others_come_in():
    one, two, _ = json.loads(sample("chatgpt.json"))
    long = {**one, "conversation_id": "long", "extra": ["x" * 50] * 1_000}
    lines, problems, _ = read("chatgpt", json.dumps([one, long, two]).encode())
    assert [line.external_id for line in lines] == [one["conversation_id"], two["conversation_id"]]
    assert problems == ["conversation 2: longer than 20,000 bytes (IMPORT_LINE_LIMIT)"]


def test_what_cannot_be_stored_is_taken_out_of_a_text():
    file = json.loads(sample("claude.json"))
    file[0]["name"] = "T" * 2_000
    file[0]["chat_messages"][2]["text"] = "a\0b \ud83d c"
    file[0]["chat_messages"][3]["text"] = "x" * 500_001
    [line], _, passed_over = read("claude", json.dumps(file).encode())
    assert line.messages[2].payload.text.startswith("ab ")
    line.messages[2].payload.text.encode()
    assert (len(line.title), passed_over["messages that are too long"]) == (1_000, 1)


def test_a_long_chat_comes_in_parts_of_one_conversation():
    message = '{"id": %d, "type": "message", "date_unixtime": "%d", "from": "Ada", "text": "Hello."}'
    chat = ",".join(message % (number, 1778571000 + number) for number in range(1_100))
    lines, _, _ = read("telegram", f'{{"name": "Ada", "type": "personal_chat", "messages": [{chat}]}}'.encode())
    assert [len(line.messages) for line in lines] == [500, 500, 100]
    assert {line.external_id for line in lines} == {"telegram-1778571000-0"}


def texts(user_id):
    with as_user(user_id):
        opened_ = open_memories(Memory.objects.of(user_id).order_by("occurred_at", "id"), open_vault())
        return [each.payload.text for each in opened_]


def load(user_id, form, content, **options):
    work = FileImport(actor=TESTER, form=form, reading=Reading(owner=profile_of(user_id), zone=LISBON), **options)
    work.run(io.BytesIO(content))
    return work.counts


@pytest.mark.django_db
@pytest.mark.parametrize("form", FOREIGN)
def test_each_format_comes_in_once_and_a_longer_export_adds_to_it(ada, form):
    whole = sample(FOREIGN[form])
    first = load(ada, form, whole)
    assert first.memories == len(texts(ada)) > 0
    again = load(ada, form, whole)
    assert (again.conversations, again.memories, again.unchanged) == (0, 0, first.memories)
    with as_user(ada):
        assert Conversation.objects.of(ada).count() == first.conversations


@pytest.mark.django_db
def test_a_message_edited_since_keeps_what_is_here_and_lets_the_others_in(ada):
    chat = sample("telegram-chat.json")
    load(ada, "telegram", chat)
    later = chat.replace(b"Good morning!", SECRET.encode()).replace(
        b'"nothing of that kind"',
        b"""
        {"id": 13, "type": "message", "date_unixtime": "1778571010", "from": "Ada", "text": "More."}""",
    )
    counts = load(ada, "telegram", later)
    assert (counts.memories, counts.differing, counts.refused) == (1, 1, 0)
    assert texts(ada) == ["Good morning!", "Good morning, Ada.", "…", "More."]


def everything():
    """Every row of people's tables, as the database stores them."""
    with unprotected("users", "user_keys", "conversations", "encrypted_memories") as cursor:
        rows = []
        for table in ("users", "user_keys", "conversations", "encrypted_memories", "procrastinate_jobs"):
            cursor.execute(f"SELECT {table}::text FROM {table} ORDER BY 1")
            rows += cursor.fetchall()
    return rows


@pytest.mark.django_db
def test_a_dry_run_counts_what_comes_in_and_writes_nothing(ada):
    before = everything()
    counts = load(ada, "claude", sample("claude.json"), dry_run=True)
    assert everything() == before
    assert counts == load(ada, "claude", sample("claude.json"))
    assert everything() != before
    assert load(ada, "claude", sample("claude.json"), dry_run=True).unchanged == counts.memories
    with as_support():
        rows = list(AuditLog.objects.filter(action="conversations.import_file").order_by("at", "id"))
    assert [row.details.get("dry_run", False) for row in rows] == [True, False, True]
    assert rows[0].details["form"] == "claude"


def own_line(uid, number=1):
    user = {"user": {"firebase_uid": uid}} if uid else {}
    message = {"id": "m", "author": "Ada", "text": "Hello.", "sent_at": "2026-05-12T09:30:00Z"}
    return json.dumps({**user, "conversation": {"id": f"c{number}"}, "messages": [message]}).encode()


@pytest.mark.django_db
def test_a_file_that_names_others_is_refused_whole(ada):
    before = everything()
    with pytest.raises(NamesAnother, match=r"^line 2: user.firebase_uid is of another person"):
        load(ada, "jsonl", own_line("ada") + b"\n" + own_line("jonas", 2))
    profile = json.dumps({"type": "vibe.profile", "firebase_uid": "jonas"}).encode()
    with pytest.raises(NamesAnother):
        load(ada, "jsonl", own_line("ada") + b"\n" + profile)
    assert everything() == before
    assert load(ada, "jsonl", own_line("ada") + b"\n" + own_line(None, 2)).conversations == 2


@pytest.mark.django_db
def test_control_without_an_owner_such_a_file_is_both_peoples(ada):
    work = FileImport(actor=TESTER)
    assert work.run(io.BytesIO(own_line("ada") + b"\n" + own_line("jonas", 2))).conversations == 2
    assert len(texts(ada)) == 1


def command(*arguments):
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_conversations", *map(str, arguments), stdout=out, stderr=err)
    except CommandError as problem:
        return out.getvalue(), err.getvalue(), f"{problem.returncode}: {problem}"
    return out.getvalue(), err.getvalue(), ""


@pytest.mark.django_db
def test_the_command_says_whose_it_is_and_what_was_passed_over(ada):
    path = SAMPLES / "chatgpt.json"
    out, err, problem = command(path, "--from", "chatgpt", "--for", "uid:ada", "--dry-run")
    assert out.startswith("Nothing was written (--dry-run). This would come in:\n2 conversations and 5 memories added")
    assert "Passed over: 2 hidden messages, " in out
    assert (err, problem, texts(ada)) == ("", "", [])
    out, _, problem = command(path, "--from", "chatgpt", "--for", "email:ada@example.com")
    assert out.startswith("2 conversations and 5 memories added") and problem == ""
    assert len(texts(ada)) == 5


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "said_"),
    [
        (["chatgpt.json", "--from", "chatgpt"], "1: This format does not say whose the conversations are."),
        (["chatgpt.json", "--from", "chatgpt", "--for", "uid:nobody"], "1: There is no such person."),
        (["chatgpt.json", "--from", "telegram", "--for", "uid:ada"], "1: The file holds no chats."),
        (["telegram-chat.json", "--from", "claude", "--for", "uid:ada"], "1: The file is not a list"),
        (["whatsapp-ios.txt", "--from", "whatsapp", "--for", "uid:ada"], "1: WhatsApp's times have no zone."),
        (
            ["whatsapp-ios.txt", "--from", "whatsapp", "--for", "uid:ada", "--time-zone", "../etc/passwd"],
            "1: --time-zone is no time zone.",
        ),
    ],
)
def test_a_wrong_call_says_what_to_type_and_writes_nothing(ada, arguments, said_):
    before = everything()
    _, _, problem = command(SAMPLES / arguments[0], *arguments[1:])
    assert problem.startswith(said_)
    assert everything() == before
