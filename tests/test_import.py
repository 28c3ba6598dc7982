"""Importing a file: what goes in, what stays out, and that a second time changes nothing."""

import io
import json
import os
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

import memories
from accounts.keys.services.data_keys import open_vault
from accounts.models import User
from accounts.people.services.people import find_person, open_name
from audit.models import AuditLog
from memories.imports.lines import BadLine
from memories.imports.services import files
from memories.imports.services.conversations import import_conversations
from memories.imports.services.files import FileImport
from memories.models import Conversation, Memory
from memories.payload import open_memories
from stories.models import Story
from tests.building import build, index_all
from tests.cast import TESTER
from tests.protections import unprotected
from vibe.core.crypto.errors import MasterKeyMissing
from vibe.core.db.scopes import as_support, as_system, as_user

SECRET = "I am afraid of the sea."  # stands for anything that must not be repeated in a message


def line(uid="ada", conversation="c1", said=("Hello.",), *, email=None, title=None, first=1, day=12):
    """One line of a file, as bytes."""
    messages = [
        {"id": f"m{number}", "author": uid, "text": text, "sent_at": f"2026-05-{day:02}T09:{number:02}:00+02:00"}
        for number, text in enumerate(said, start=first)
    ]
    user = {"firebase_uid": uid, "email": email, "name": uid.title()}
    return json.dumps(
        {"user": user, "conversation": {"id": conversation, "title": title}, "messages": messages}
    ).encode()


def load(*lines, **options):
    """Import the lines: the counts as a tuple, and the refusals."""
    refused = []
    work = FileImport(actor=TESTER, on_refused=lambda problem: refused.append(str(problem)), **options)
    done = work.run(io.BytesIO(b"\n".join(lines)))
    return (done.conversations, done.memories, done.unchanged, done.refused), refused


def due_in(user_id):
    """The conversations that have a story to be built."""
    with as_user(user_id):
        due = Story.objects.of(user_id).exclude(due_at=None)
        return set(due.values_list("conversation__external_id", flat=True))


def texts(uid="ada"):
    """What a person said, in order."""
    user_id = find_person(uid)
    with as_user(user_id):
        opened = open_memories(Memory.objects.of(user_id).order_by("occurred_at"), open_vault())
        return [memory.payload.text for memory in opened]


def everything():
    """Every row of every table but the trail and the jobs, as the database stores them."""
    tables = ("users", "user_keys", "conversations", "encrypted_memories")
    with unprotected(*tables) as cursor:
        rows = {}
        for table in tables:
            cursor.execute(f"SELECT {table}::text FROM {table} ORDER BY 1")
            rows[table] = cursor.fetchall()
    return rows


@pytest.mark.django_db
def test_a_file_goes_in_as_people_conversations_and_memories():
    counts, refused = load(
        line(said=["One.", "Two."], title="Numbers", email="ada@example.com"),
        line(conversation="c2", said=["Three."], day=13),
        line("jonas", said=["Four."]),
    )
    assert (counts, refused) == ((3, 4, 0, 0), [])
    assert (texts(), texts("jonas")) == (["One.", "Two.", "Three."], ["Four."])
    ada = find_person("ada@example.com")
    with as_user(ada):
        newest, oldest = Conversation.objects.of(ada).active()
        assert open_name(User.objects.only("name").get(pk=ada)) == "Ada"
        assert (newest.external_id, newest.memory_count, newest.title) == ("c2", 1, None)
        assert (oldest.external_id, oldest.memory_count, str(oldest.title)) == ("c1", 2, "<sealed, 287 bytes>")
        assert oldest.active_at == datetime(2026, 5, 12, 7, 2, tzinfo=UTC)
        assert oldest.started_at == datetime(2026, 5, 12, 7, 1, tzinfo=UTC)


@pytest.mark.django_db
def test_a_file_imported_twice_changes_nothing():
    file = [line(said=["One.", "Two."], title="Numbers"), line("jonas", said=["Three."])]
    load(*file)
    before = everything()
    assert load(*file) == ((0, 0, 3, 0), [])
    assert everything() == before


@pytest.mark.django_db
def test_the_same_line_twice_in_one_file_goes_in_once():
    assert load(line(), line()) == ((1, 1, 1, 0), [])


@pytest.mark.django_db
def test_later_messages_join_their_conversation():
    load(line(said=["One."], title="The first title"))
    counts, _ = load(line(said=["Two."], first=2, title="Another title"), line(said=["Three."], first=3, day=20))
    assert counts == (1, 2, 0, 0)
    ada = find_person("ada")
    with as_user(ada):
        there = Conversation.objects.of(ada).get()
        assert there.memory_count == 3
        assert there.active_at == datetime(2026, 5, 20, 7, 3, tzinfo=UTC)
    assert texts() == ["One.", "Two.", "Three."]


@pytest.mark.django_db
def test_only_what_is_new_is_indexed_and_its_conversation_alone_is_built_again():
    load(line(), line(conversation="c2"))
    ada = find_person("ada")
    assert (index_all(ada), build(ada)) == (2, 2)
    assert due_in(ada) == set()
    load(line(), line(conversation="c2", said=["More."], first=2))
    assert index_all(ada) == 1
    assert due_in(ada) == {"c2"}


def with_message(**what):
    """A line of one message that has this in place of a text."""
    read = json.loads(line(said=["Hello."]))
    read["messages"][0] |= what
    return json.dumps(read).encode()


@pytest.mark.django_db
def test_a_role_is_given_or_told_by_the_author_and_the_persons_name():
    lines = [{"author": author, "id": author} for author in ("Ada", "ai", "Nova")] + [{"id": "x", "role": "tool"}]
    load(*(with_message(**each) for each in lines))
    ada = find_person("ada")
    with as_user(ada):
        roles = list(Memory.objects.of(ada).values_list("message_ids", "role"))
    assert {name: role for (name,), role in roles} == {
        "Ada": "user",
        "ai": "assistant",
        "Nova": "other",
        "x": "tool",
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("again", "same"),
    [
        ({}, True),
        ({"role": "user", "metadata": {"mood": "glad"}}, True),
        ({"sent_at": "2026-05-12T07:01:00Z"}, True),
        ({"role": None, "metadata": {}}, True),
        ({"role": "other"}, False),
        ({"metadata": {"mood": SECRET}}, False),
        ({"sent_at": "2026-05-12T09:01:00Z"}, False),
    ],
)
def test_a_message_is_the_same_if_what_is_given_of_it_is(again, same):
    load(with_message(metadata={"mood": "glad"}))
    before = everything()
    counts, refused = load(with_message(**again))
    assert counts == ((0, 0, 1, 0) if same else (0, 0, 0, 1))
    assert SECRET not in str(refused)
    assert everything() == before


@pytest.mark.django_db
def test_a_picture_goes_in_and_messages_of_nothing_or_expired_are_counted(capsys, tmp_path):
    lines = (
        with_message(id="picture", text="", metadata={"mime": "image/png"}),
        with_message(id="nothing", text=""),
        with_message(id="expired", expires_at="2026-06-01T00:00:00Z"),
        with_message(id="kept", expires_at="2100-01-01T00:00:00Z"),
    )
    assert load(*lines) == ((1, 2, 0, 0), [])
    assert texts() == ["", "Hello."]
    (tmp_path / "file").write_bytes(b"\n".join(lines))
    call_command("import_conversations", str(tmp_path / "file"))
    assert "2 messages were skipped: nothing is in them, or they have expired." in capsys.readouterr().out


@pytest.mark.django_db
@pytest.mark.parametrize("other", [{"said": [SECRET]}, {"said": ["Hello."], "day": 13}])
def test_a_message_id_with_other_content_is_named_and_its_line_left_out(other):
    load(line(said=["Hello."]))
    before = everything()
    counts, refused = load(line(**other))
    assert (counts, refused) == (
        (0, 0, 0, 1),
        ["line 1: holds a message id that is there already with other content"],
    )
    assert everything() == before


@pytest.mark.django_db
def test_a_bad_line_stays_out_whole_and_alone():
    broken = line(conversation="c2", said=["Fine.", "x"]).replace(b'"x"', b'"\\u0000' + SECRET.encode() + b'"')
    counts, refused = load(line(), broken, b"[]", line(conversation="c3", said=["Last."], day=14), line(said=[SECRET]))
    assert counts == (2, 2, 0, 3)
    assert refused == [
        "line 2: messages[1].text contains a NUL character",
        "line 3: not a JSON object",
        "line 5: holds a message id that is there already with other content",
    ]
    assert texts() == ["Hello.", "Last."]


@pytest.mark.django_db
def test_the_email_of_somebody_else_is_refused_and_nobody_is_made():
    load(line(email="ada@example.com"))
    counts, refused = load(line("mallory", email="ADA@example.com"), line("jonas"))
    assert counts == (1, 1, 0, 1)
    assert [each.partition(":")[0] for each in refused] == ["line 1"]
    assert "email" in refused[0] and "ada@" not in refused[0].lower()
    with as_system():
        assert set(User.objects.values_list("firebase_uid", flat=True)) == {"ada", "jonas"}


@pytest.mark.django_db
def test_nobody_is_made_for_lines_that_cannot_go_in(monkeypatch):
    def refuse(*, lines, **_):
        raise BadLine(lines[0].number, "no")

    monkeypatch.setattr(files, "import_conversations", refuse)
    assert load(line())[0] == (0, 0, 0, 1)
    with as_system():
        assert not User.objects.exists()


@pytest.mark.django_db
def test_a_person_whose_key_is_destroyed_takes_nothing_more_and_the_others_do():
    load(line())
    with as_system(), connection.cursor() as cursor:
        cursor.execute("UPDATE user_keys SET wrapped = NULL, destroyed_at = now()")
    counts, refused = load(line(said=["More."], first=2), line("jonas"))
    assert counts == (1, 1, 0, 1)
    assert refused[0].startswith("line 1: ") and "no data key" in refused[0]


@pytest.mark.django_db
def test_a_missing_master_key_stops_the_import_and_is_no_bad_line(settings):
    load(line())
    settings.ENCRYPTION_KEY = os.urandom(32).hex()
    with pytest.raises(MasterKeyMissing):
        load(line(said=["More."], first=2))


@pytest.mark.django_db
@pytest.mark.parametrize("last", [b"{", line(said=[SECRET])])
def test_strict_writes_nothing_at_all_for_one_bad_line_at_the_end(monkeypatch, last):
    monkeypatch.setattr(files, "BATCH_MESSAGES", 1)
    before = everything()
    with pytest.raises(BadLine, match=r"^line 3: "):
        load(line(), line("jonas"), last, strict=True)
    assert everything() == before
    assert load(line(), line("jonas"), strict=True) == ((2, 2, 0, 0), [])


@pytest.mark.django_db
def test_batches_do_not_show_in_what_goes_in(monkeypatch):
    file = [line(conversation=f"c{number}", said=["One.", "Two."], day=number) for number in range(1, 8)]
    people = [line(f"p{number % 3}", f"c{number}", ["Three."]) for number in range(9)]
    for limit in ("BATCH_MESSAGES", "BATCH_BYTES"):
        monkeypatch.setattr(files, limit, 3)
        load(*file, *people)
    assert texts() == ["One.", "Two."] * 7
    assert [texts(f"p{number}") for number in range(3)] == [["Three."] * 3] * 3


@pytest.mark.django_db
def test_one_person_of_a_batch_is_one_round_however_the_file_mixes_them(monkeypatch):
    rounds = []

    def noted(**given):
        rounds.append(len(given["lines"]))
        return import_conversations(**given)

    monkeypatch.setattr(files, "import_conversations", noted)
    load(*(line(f"p{number % 2}", f"c{number}") for number in range(10)))
    assert rounds == [5, 5]


@pytest.mark.django_db
def test_progress_adds_up_to_the_whole_file():
    file = b"\n".join([line(), b"", b"{", b"x" * 300, line("jonas")])
    seen = []
    with override_settings(IMPORT_LINE_LIMIT=290):
        FileImport(actor=TESTER, on_progress=seen.append).run(io.BytesIO(file))
    assert sum(seen) == len(file)


@pytest.mark.django_db
def test_a_file_leaves_one_row_in_the_trail_and_each_round_of_a_person_another():
    load(line(said=[SECRET]), b"{")
    with as_support():
        rows = AuditLog.objects.order_by("at", "id").values_list("action", "outcome", "reason", "details")
        assert list(rows) == [
            ("person.create", "ok", "", {}),
            ("conversations.import", "ok", "", {"conversations": 1, "memories": 1}),
            (
                "conversations.import_file",
                "refused",
                "1 lines left out",
                {
                    "conversations": 1,
                    "memories": 1,
                    "unchanged": 0,
                    "skipped": 0,
                    "lines_left_out": 1,
                    "restored": 0,
                    "passed_over": 0,
                },
            ),
        ]


@pytest.mark.django_db
def test_a_refused_strict_import_is_recorded_too():
    with pytest.raises(BadLine):
        load(line(), b"{", strict=True)
    with as_support():
        row = AuditLog.objects.get()
    assert (row.action, row.outcome) == ("conversations.import_file", "refused")
    assert row.reason.startswith("line 2: not JSON")


def command(*arguments):
    """Run the command: what it printed, what it complained of, the error it ended with."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_conversations", *arguments, stdout=out, stderr=err)
    except CommandError as problem:
        return out.getvalue(), err.getvalue(), problem
    return out.getvalue(), err.getvalue(), None


@pytest.mark.django_db
def test_the_command_says_what_it_did_and_draws_no_bar_where_there_is_no_terminal(tmp_path, capfd):
    file = tmp_path / "said.jsonl"
    file.write_bytes(line(said=["One.", "Two."]))
    assert command(str(file)) == ("1 conversations and 2 memories added; 0 memories were there already.\n", "", None)
    assert capfd.readouterr().err == ""


@pytest.mark.django_db
def test_the_command_names_bad_lines_and_ends_with_a_code_of_its_own(tmp_path):
    file = tmp_path / "said.jsonl"
    file.write_bytes(line() + b"\n" + line("jonas", said=[SECRET])[:-20])
    out, err, problem = command(str(file))
    assert "1 memories added" in out
    assert err.startswith("line 2: not JSON (") and SECRET not in err
    assert (str(problem), problem.returncode) == ("1 lines were left out, each named above.", 3)


@pytest.mark.django_db
def test_strict_says_that_nothing_was_written(tmp_path):
    file = tmp_path / "said.jsonl"
    file.write_bytes(line() + b"\n[]")
    out, err, problem = command(str(file), "--strict")
    assert (out, err, str(problem)) == ("", "", "line 2: not a JSON object. Nothing was written (--strict).")
    assert problem.returncode == 1


@pytest.mark.django_db
def test_a_dash_is_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(line())))
    assert command("-")[0].startswith("1 conversations and 1 memories added")


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["absent.jsonl", ""])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    problem = command(str(tmp_path / name))[2]
    assert str(tmp_path) in str(problem) and problem.returncode == 1


@pytest.mark.django_db
def test_an_empty_file_is_no_error(tmp_path):
    file = tmp_path / "empty.jsonl"
    file.touch()
    assert command(str(file)) == ("0 conversations and 0 memories added; 0 memories were there already.\n", "", None)


@pytest.mark.django_db
def test_the_bundled_sample_and_the_evaluation_data_are_in_this_format(locomo):
    from pathlib import Path

    sample = Path(memories.__file__).parent / "sample" / "conversations.jsonl"
    for file in (sample, locomo / "conversations.jsonl"):
        with file.open("rb") as source:
            assert FileImport(actor=TESTER, strict=True).run(source).refused == 0
