"""How fast a file goes in, against the least that Django could do, and how much memory a large one takes.

    python -m benchmarks.importing [--messages N] [--rounds N] [--megabytes N | --gigabyte] [--from FORMAT]

Speed: the rate of `import_conversations` without story building, against `bulk_create` of the same text, unencrypted,
into a table without any index. The rounds alternate between the two, each with new people and new text, and the
ratio is of the medians. `plain` starts from values already in memory, `plain_from_file` parses the same file first.
`sealed` leaves the story jobs out; `sealed_with_jobs` enqueues one a conversation, as in production.
`one_by_one` seals and saves each conversation and each message by the model's own `save`, in one transaction a
conversation, from the same file: what one would write without an import.
`crowd` is the worst case of the batching: a file in which every line is another person's, each of them new.

Memory: the peak of a process of its own that imports a file made on the way in, never whole on disk or in memory
(story building left out: a job is a row more for each conversation, and holds none of it). With `--from` it is an
export of another program, of one person, and of one chat where the program writes chats; then speed is left out.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from statistics import median
from typing import IO, Any
from unittest import mock

from benchmarks.harness import show, throw_away_database

MESSAGES_EACH = 23
CONVERSATIONS_EACH = 25
WORDS_EACH = 21  # about 120 characters
START = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
FEED = "--feed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=23_000, help="messages in each file of the speed test")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--megabytes", type=int, default=100, help="size of the file of the memory test; 0 leaves it out"
    )
    parser.add_argument("--gigabyte", action="store_true", help="the memory test with a file of 1 GB; takes minutes")
    parser.add_argument("--from", dest="form", choices=list(FORMS), default="jsonl", help="format of the memory test")
    parser.add_argument(FEED, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    megabytes = 1000 if options.gigabyte else options.megabytes
    if options.feed:
        print(json.dumps(load_stream(megabytes * 1_000_000, options.form)))
        return
    with throw_away_database():
        result: dict[str, Any] = {"speed": speed(options.messages, options.rounds)} if options.form == "jsonl" else {}
        if megabytes:
            result["memory"] = memory(megabytes, options.form)
    show(result)


class Writer:
    """Makes text of about the size and spread of people's messages. Nobody wrote it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        letters = "etaoinshrdlcumwfgypbvk"
        weights = [1 / (rank + 2) for rank in range(len(letters))]
        words = ["".join(self.random.choices(letters, weights, k=self.random.randint(2, 8))) for _ in range(3000)]
        self.words = words
        self.cumulative = list(accumulate(1 / (place + 3) for place in range(len(words))))

    def lines(self, conversations: int, prefix: str, each: int = CONVERSATIONS_EACH) -> Iterator[bytes]:
        """Conversations in the import format, `each` of them a person's."""
        for number in range(conversations):
            yield self.line(f"{prefix}-{number // each}", f"session-{number}", START + timedelta(hours=number))

    def line(self, uid: str, conversation: str, at: datetime) -> bytes:
        messages = [
            {
                "id": f"D{position // 20}:{position}",
                "author": ("Caroline", "Melanie")[position % 2],
                "text": " ".join(self.random.choices(self.words, cum_weights=self.cumulative, k=self.length())),
                "sent_at": (at + timedelta(seconds=30 * position)).isoformat(),
            }
            for position in range(MESSAGES_EACH)
        ]
        person = {"firebase_uid": uid, "email": f"{uid}@example.com", "name": uid}
        about = {"id": conversation, "title": conversation, "started_at": at.isoformat()}
        return json.dumps({"user": person, "conversation": about, "messages": messages}).encode() + b"\n"

    def length(self) -> int:
        return max(1, round(self.random.gauss(WORDS_EACH, WORDS_EACH / 2)))


def speed(messages: int, rounds: int) -> dict[str, Any]:
    """Messages a second of each way in, and the ratios."""
    conversations = messages // MESSAGES_EACH
    plain = plain_table()
    ways: dict[str, Callable[[bytes], float]] = {
        "plain": plain.load_values,
        "plain_from_file": plain.load_file,
        "sealed": lambda file: timed(lambda: import_file(file, jobs=False)),
        "sealed_with_jobs": lambda file: timed(lambda: import_file(file, jobs=True)),
        "one_by_one": lambda file: timed(lambda: save_one_by_one(file)),
    }
    seconds: dict[str, list[float]] = {way: [] for way in (*ways, "crowd")}
    for number in range(rounds):
        for way, load in ways.items():
            seconds[way].append(load(b"".join(Writer(number).lines(conversations, f"{way}-{number}"))))
        crowd = b"".join(Writer(number).lines(conversations, f"crowd-{number}", each=1))
        seconds["crowd"].append(timed(lambda file=crowd: import_file(file, jobs=False)))  # type: ignore[misc]
    rates = {way: conversations * MESSAGES_EACH / median(taken) for way, taken in seconds.items()}
    return {
        "messages_per_second": rates,
        "ratio": rates["sealed"] / rates["plain"],
        "ratio_with_jobs": rates["sealed_with_jobs"] / rates["plain"],
        "ratio_from_file": rates["sealed"] / rates["plain_from_file"],
        "ratio_of_crowd": rates["crowd"] / rates["plain"],
        "target": 0.5,
        "ratio_to_one_by_one": rates["sealed"] / rates["one_by_one"],
        "target_to_one_by_one": 5,
        "messages": conversations * MESSAGES_EACH,
        "rounds": rounds,
    }


def timed(work: Callable[[], Any]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def import_file(file: bytes | IO[bytes], *, jobs: bool, **how: Any) -> Any:
    """What the command does."""
    from audit.actors import Actor
    from memories.imports.services.files import FileImport
    from stories.index.memory_index import MemoryIndex

    source = io.BytesIO(file) if isinstance(file, bytes) else file
    without_jobs = mock.patch.object(MemoryIndex, "imported")
    with nullcontext() if jobs else without_jobs:
        return FileImport(actor=Actor.system("benchmark"), strict=False, on_refused=fail, **how).run(source)


def save_one_by_one(file: bytes) -> None:
    """The same rows, each by its model."""
    from accounts.keys.services.data_keys import open_vault
    from accounts.people.services.people import ensure_person
    from audit.actors import Actor
    from memories.imports.lines import parse
    from memories.models import Conversation, Memory
    from memories.services.conversations import seal_texts
    from vibe.core.crypto.fields import address_of
    from vibe.core.db.scopes import as_user

    for number, line in enumerate(file.splitlines(), start=1):
        given = parse(number, line)
        assert given
        user_id = ensure_person(profile=given.profile, actor=Actor.system("benchmark"))
        with as_user(user_id):
            vault = open_vault()
            conversation = Conversation(
                user_id=user_id,
                external_id=given.external_id,
                memory_count=len(given.messages),
                started_at=given.started_at,
                active_at=max(message.sent_at for message in given.messages),
            )
            seal_texts(conversation, vault, {"title": given.title, "description": given.description})
            conversation.save(force_insert=True)
            for message in given.messages:
                memory = Memory(
                    user_id=user_id, conversation=conversation, message_ids=[message.id], occurred_at=message.sent_at
                )
                memory.payload = vault.seal(message.payload.encode(), address_of(memory, "payload"))
                memory.save(force_insert=True)


def fail(problem: Exception) -> None:
    """A measurement of refusals would be none."""
    raise problem


def plain_table() -> Any:
    """A model over a table without an index, not even for its key."""
    from django.db import connection, models

    class PlainMessage(models.Model):
        id = models.UUIDField(primary_key=True)
        conversation = models.TextField()
        message = models.TextField()
        author = models.TextField()
        text = models.TextField()
        sent_at = models.DateTimeField()

        class Meta:
            app_label = "memories"
            db_table = "plain_messages"
            managed = False

        @classmethod
        def load_values(cls, file: bytes) -> float:
            values = list(cls.values_of(file))
            return timed(lambda: cls.objects.bulk_create([cls(**each) for each in values], batch_size=1000))

        @classmethod
        def load_file(cls, file: bytes) -> float:
            return timed(
                lambda: cls.objects.bulk_create([cls(**each) for each in cls.values_of(file)], batch_size=1000)
            )

        @staticmethod
        def values_of(file: bytes) -> Iterator[dict[str, Any]]:
            from vibe.core.db.schema.owned import uuid7

            for line in file.splitlines():
                given = json.loads(line)
                for message in given["messages"]:
                    yield {
                        "id": uuid7(),
                        "conversation": given["conversation"]["id"],
                        "message": message["id"],
                        "author": message["author"],
                        "text": message["text"],
                        "sent_at": datetime.fromisoformat(message["sent_at"]),
                    }

    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE plain_messages (id uuid NOT NULL, conversation text NOT NULL, message text NOT NULL, "
            "author text NOT NULL, text text NOT NULL, sent_at timestamptz NOT NULL)"
        )
    return PlainMessage


def as_chatgpt(number: int, given: dict[str, Any]) -> bytes:
    """A conversation as ChatGPT writes it, with the nodes that it has beside the messages."""
    nodes: dict[str, Any] = {"root": {"id": "root", "message": None, "parent": None, "children": ["0"]}}
    for place, each in enumerate(given["messages"]):
        said = {
            "id": f"{number}-{place}",
            "author": {"role": ("user", "assistant")[place % 2], "name": None, "metadata": {}},
            "create_time": 1_683_554_160 + 600 * number + place,
            "content": {"content_type": "text", "parts": [each["text"]]},
            "status": "finished_successfully",
            "weight": 1.0,
            "metadata": {"request_id": "x" * 20, "model_slug": "model", "parent_id": "y" * 36},
            "recipient": "all",
        }
        before = str(place - 1) if place else "root"
        nodes[str(place)] = {"id": str(place), "message": said, "parent": before, "children": [str(place + 1)]}
    last = str(len(given["messages"]) - 1)
    whole = {"title": "T", "conversation_id": f"c-{number}", "mapping": nodes, "current_node": last}
    return (b"," if number else b"") + json.dumps(whole).encode()


def as_claude(number: int, given: dict[str, Any]) -> bytes:
    """A conversation as Claude writes it."""
    said = [
        {
            "uuid": f"{number}-{place}",
            "text": each["text"],
            "content": [{"type": "text", "text": each["text"], "citations": []}],
            "sender": ("human", "assistant")[place % 2],
            "created_at": each["sent_at"],
            "attachments": [],
            "files": [],
        }
        for place, each in enumerate(given["messages"])
    ]
    return (b"," if number else b"") + json.dumps({"uuid": f"c-{number}", "name": "T", "chat_messages": said}).encode()


def as_telegram(number: int, given: dict[str, Any]) -> bytes:
    """Some messages of a chat as Telegram writes them."""
    said = [
        {
            "id": number * MESSAGES_EACH + place,
            "type": "message",
            "date_unixtime": str(1_683_554_160 + 600 * number + place),
            "from": each["author"],
            "from_id": f"user{place % 2}",
            "text": each["text"],
            "text_entities": [{"type": "plain", "text": each["text"]}],
        }
        for place, each in enumerate(given["messages"])
    ]
    return (b"," if number else b"") + json.dumps(said)[1:-1].encode()


def as_whatsapp(number: int, given: dict[str, Any]) -> bytes:
    """Some messages of a chat as Android writes them."""
    at = START + timedelta(minutes=10 * number)
    said = (f"{at:%d/%m/%Y, %H:%M} - {each['author']}: {each['text']}\n" for each in given["messages"])
    return "".join(said).encode()


# How a format writes a conversation, what stands before all, and after.
FORMS: dict[str, tuple[Callable[[int, dict[str, Any]], bytes] | None, bytes, bytes]] = {
    "jsonl": (None, b"", b""),
    "chatgpt": (as_chatgpt, b"[", b"]"),
    "claude": (as_claude, b"[", b"]"),
    "telegram": (as_telegram, b'{"name": "Melanie", "type": "personal_chat", "messages": [', b"]}"),
    "whatsapp": (as_whatsapp, b"", b""),
}


class Stream(io.RawIOBase):
    """A file of a given size that is made while it is read: the same few hundred texts, of ever new conversations."""

    def __init__(self, size: int, form: str = "jsonl") -> None:
        writer = Writer(0)
        self.form, self.rest, self.end = FORMS[form]
        self.left = size
        self.texts = [writer.line("WHO", "WHICH", START) for _ in range(200)]
        self.number = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.rest and self.left > 0:
            self.rest = self.next_line()
            self.left -= len(self.rest)
            self.rest += self.end if self.left <= 0 else b""
        part, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def next_line(self) -> bytes:
        self.number += 1
        person = b"stream-%d" % (self.number // CONVERSATIONS_EACH)
        text = self.texts[self.number % len(self.texts)]
        if self.form:
            return self.form(self.number - 1, json.loads(text))
        return text.replace(b"WHO", person).replace(b"WHICH", b"session-%d" % self.number)


def load_stream(size: int, form: str) -> dict[str, Any]:
    """Import a stream in this process. Peak memory in megabytes of 1,000,000 bytes."""
    import django

    django.setup()
    from django.conf import settings

    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor
    from memories.imports.readers.reading import Reading

    settings.DEBUG = False
    settings.STORAGE_LIMIT_MEMORIES = settings.STORAGE_LIMIT_MIB = "off"
    owner = Profile("stream") if form != "jsonl" else None
    if owner:
        ensure_person(profile=owner, actor=Actor.system("benchmark"))
    how = {"form": form, "reading": Reading(owner=owner, zone=UTC)}
    began = time.perf_counter()
    done = import_file(io.BufferedReader(Stream(size, form), 1 << 20), jobs=False, **how)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"peak_megabytes": peak / 1e6, "seconds": seconds, "memories": done.memories}


def memory(megabytes: int, form: str) -> dict[str, Any]:
    """The peak of a process of its own, which shares this one's server."""
    command = [sys.executable, "-m", "benchmarks.importing", FEED, "--megabytes", str(megabytes), "--from", form]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ)
    return {**json.loads(done.stdout), "form": form, "file_megabytes": megabytes, "target_megabytes": 300}


if __name__ == "__main__":
    main()
