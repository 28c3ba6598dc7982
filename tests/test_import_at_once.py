"""Two imports at the same moment, in processes of their own with real commits: as if there had been one."""

import json

import pytest
from django.db import connection

from memories.models import Conversation, Memory
from tests.processes import PATIENCE, manage, start, url
from vibe.core.db.scopes import as_system, as_user

PEOPLE, CONVERSATIONS, MESSAGES = 4, 6, 30


@pytest.fixture
def file(tmp_path):
    """Four people's conversations, each person's all over the file."""
    path = tmp_path / "said.jsonl"
    with path.open("w") as lines:
        for number in range(PEOPLE * CONVERSATIONS):
            uid = f"person-{number % PEOPLE}"
            messages = [
                {
                    "id": f"m{place}",
                    "author": uid,
                    "text": f"Said {number} {place}.",
                    "sent_at": f"2026-05-12T09:{place:02}:00Z",
                }
                for place in range(MESSAGES)
            ]
            user = {"firebase_uid": uid, "email": f"{uid}@example.com"}
            print(json.dumps({"user": user, "conversation": {"id": f"c{number}"}, "messages": messages}), file=lines)
    return path


def rows():
    """How much is there of each person: conversations, memories, and what the conversations count."""
    from accounts.models import User

    with as_system():
        people = dict(User.objects.values_list("firebase_uid", "pk"))
    found = {}
    for uid, user_id in people.items():
        with as_user(user_id):
            mine = Conversation.objects.of(user_id)
            found[uid] = (mine.count(), Memory.objects.of(user_id).count(), sum(each.memory_count for each in mine))
    return found


ONCE = {
    f"person-{number}": (CONVERSATIONS, CONVERSATIONS * MESSAGES, CONVERSATIONS * MESSAGES) for number in range(PEOPLE)
}


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("strict", [[], ["--strict"]])
def test_two_imports_of_one_file_at_once_are_as_one(file, strict):
    both = [start("import_conversations", str(file), *strict, DATABASE_URL=url()) for _ in range(2)]
    ended = [process.communicate(timeout=PATIENCE) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert rows() == ONCE
    added = [int(output.split(" and ")[1].split()[0]) for output, _ in ended]
    assert sum(added) == PEOPLE * CONVERSATIONS * MESSAGES
    with as_system(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT user_id) FROM pending_memories WHERE bulk")
        assert cursor.fetchone() == (PEOPLE * CONVERSATIONS * MESSAGES, PEOPLE)
        cursor.execute("SELECT count(DISTINCT args) FROM procrastinate_jobs WHERE task_name = 'stories.index_imported'")
        assert cursor.fetchone() == (PEOPLE,)


@pytest.mark.usefixtures("committed")
def test_an_import_killed_in_the_middle_is_finished_by_the_next(file):
    broken = start("import_conversations", "-", DATABASE_URL=url())
    whole = file.read_text()
    broken.stdin.write(whole[: len(whole) // 2])
    broken.stdin.flush()
    broken.kill()
    broken.communicate(timeout=PATIENCE)
    done = manage("import_conversations", str(file), DATABASE_URL=url())
    assert done.returncode == 0, done.stderr
    assert rows() == ONCE
