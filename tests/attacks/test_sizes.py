"""Attack: a stolen dump, and a pool of texts that holds a person's own among others, such as scripted openings,
templates, or the other side of a chat. Which row is which text?

What the dump shows of a row is computed for each text of the pool too. A row and a text are put together when each is
the only one of its kind; or a run of rows and a run of texts, for a thief who knows several messages in their order.
"""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps

from accounts.people.services.people import ensure_person
from memories.imports.lines import ConversationLine, Message, parse
from memories.imports.services.conversations import import_conversations
from memories.models import Conversation, Memory
from stories.processors.base import Message as AsRead
from stories.text.passages import dummies_beside, dummy_token, length_class, passages
from tests.api.conftest import Api
from tests.building import build_conversation, index_all
from tests.cast import DAY, TESTER
from tests.protections import unprotected
from vibe.core.crypto import seal
from vibe.core.crypto.fields import SealedField
from vibe.core.crypto.seal import OVERHEAD_BYTES
from vibe.core.db.scopes import as_user

OWNER = "locomo-41"
"""Who is robbed: 663 of 2,760 messages, of five people, are theirs."""
OF_OWNER = 32
"""Conversations of theirs."""
FEW = 6
"""Of these conversations, how many the smaller pool holds."""
TOLD_AT_MOST = 5


@dataclass(frozen=True)
class Column:
    """What a dump shows of a memory, as an SQL expression over `memory`, and the same computed from a text."""

    shown: str
    computed: Callable[[Message], Any]


def payload_size(message: Message) -> int:
    return len(seal.pad(message.payload.encode().encode())) + OVERHEAD_BYTES


def as_read(message: Message) -> AsRead:
    return AsRead(message.id, message.payload.author, message.payload.text, message.sent_at)


def counted_words(message: Message) -> Any:
    parts = passages(as_read(message))
    numbers = [len(set(part.words)) for part in parts]
    return [
        [length_class(part.length), number + dummies_beside(number)]
        for part, number in zip(parts, numbers, strict=True)
    ]


PAYLOAD_SIZE = Column("octet_length(memory.payload)", payload_size)
WORDS = Column(
    "(SELECT jsonb_agg(jsonb_build_array(length, cardinality(words)) ORDER BY part) FROM passages "
    "WHERE user_id = memory.user_id AND memory_id = memory.id)",
    lambda message: json.dumps(counted_words(message)),
)
COLUMNS = (PAYLOAD_SIZE,)
"""What the thief looks at. Whatever else a row shows of its text belongs here."""

Seen = tuple[Any, ...]
Place = tuple[str, int]  # a conversation, and the position of a message in it
Sequences = Mapping[str, Sequence[Seen]]  # of each conversation, what is seen of its messages, in order


def dumped(user_id: UUID, columns: Sequence[Column] = COLUMNS) -> Sequences:
    """What the dump shows of one person's conversations. Their external ids only tell afterwards who was right."""
    found = defaultdict(list)
    shown = ", ".join(column.shown for column in columns)
    with unprotected("conversations", "encrypted_memories", "passages") as cursor:
        cursor.execute(
            f"SELECT conversation.external_id, {shown} FROM encrypted_memories AS memory "
            "JOIN conversations AS conversation ON conversation.id = memory.conversation_id "
            "WHERE memory.user_id = %s ORDER BY memory.conversation_id, memory.occurred_at, memory.id",
            [user_id],
        )
        for conversation, *seen in cursor.fetchall():
            found[conversation].append(tuple(seen))
    return found


def computed(pool: Sequence[ConversationLine], columns: Sequence[Column] = COLUMNS) -> Sequences:
    """The same of the texts of a pool."""
    return {
        line.external_id: [tuple(column.computed(message) for column in columns) for message in line.messages]
        for line in pool
    }


def runs(sequences: Sequences, length: int) -> dict[tuple[Seen, ...], list[Place]]:
    """Where each run of so many messages stands."""
    found: dict[tuple[Seen, ...], list[Place]] = defaultdict(list)
    for conversation, seen in sequences.items():
        for start in range(len(seen) - length + 1):
            found[tuple(seen[start : start + length])].append((conversation, start))
    return found


def told(rows: Sequences, pool: Sequences, in_a_row: int = 1) -> tuple[int, int]:
    """How many rows are put beside their own text, and how many runs beside another one's."""
    of_pool, right, wrong = runs(pool, in_a_row), set(), 0
    for run, places in runs(rows, in_a_row).items():
        if len(places) == len(of_pool.get(run, ())) == 1:
            [(conversation, start)] = places
            if of_pool[run] == places:
                right |= {(conversation, start + step) for step in range(in_a_row)}
            else:
                wrong += 1
    return len(right), wrong


@dataclass(frozen=True)
class Corpus:
    """Conversations of several people, one of whom is robbed."""

    own: list[ConversationLine]
    others: list[ConversationLine]

    @property
    def pools(self) -> dict[str, list[ConversationLine]]:
        """What the thief may hold, from the most telling pool to the least."""
        some = self.own[:: len(self.own) // FEW][:FEW]
        return {
            "all": self.own,
            f"{FEW} conversations": some,
            "all, among others": self.own + self.others,
            f"{FEW} conversations, among others": some + self.others,
        }

    def stored(self) -> UUID:
        """Store the conversations of the one."""
        user_id = ensure_person(profile=self.own[0].profile, actor=TESTER)
        import_conversations(user_id=user_id, lines=self.own, actor=TESTER)
        return user_id


def made_up() -> Corpus:
    """Messages of made-up words, as long and as many as those of the evaluation data."""
    draw = random.Random(5)
    vocabulary = ["".join(draw.choices("aeiounrstlmdc", k=draw.randint(1, 9))) for _ in range(3_000)]

    def line(number: int, messages: int) -> bytes:
        said = [
            {
                "id": f"{number}:{at}",
                "author": ("Ada", "Companion")[at % 2],
                "text": " ".join(draw.choices(vocabulary, k=max(1, round(draw.gauss(26, 15))))),
                "sent_at": (DAY + timedelta(days=number, minutes=at)).isoformat(),
            }
            for at in range(messages)
        ]
        who = {"firebase_uid": OWNER if number < OF_OWNER else f"other {number % 4}"}
        return json.dumps({"user": who, "conversation": {"id": f"conversation {number}"}, "messages": said}).encode()

    lengths = [21] * 23 + [20] * 9 + [22] * 93 + [17] * 3
    return of_lines(line(number, length) for number, length in enumerate(lengths))


def of_lines(lines: Iterable[bytes]) -> Corpus:
    """Conversations in the format of docs/import.md."""
    read = [line for line in map(parse, itertools.count(1), lines) if isinstance(line, ConversationLine)]
    own = [line for line in read if line.profile.firebase_uid == OWNER]
    return Corpus(own, [line for line in read if line not in own])


@pytest.fixture(params=["made up", pytest.param("LoCoMo", marks=pytest.mark.locomo)])
def corpus(request: pytest.FixtureRequest) -> Corpus:
    if request.param == "made up":
        found = made_up()
    else:
        found = of_lines((request.getfixturevalue("locomo") / "conversations.jsonl").read_bytes().splitlines())
    assert len(found.own) == OF_OWNER
    assert sum(len(line.messages) for line in found.own) == 663
    assert sum(len(line.messages) for line in found.own + found.others) == 2_760
    return found


@pytest.fixture
def unpadded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The protection off, for what is sealed and for the thief, who knows the program."""
    monkeypatch.setattr(seal, "size_class", lambda length: length)


def figures(rows: Sequences, corpus: Corpus) -> dict[str, tuple[int, int]]:
    """What `told` gives for each pool."""
    return {name: told(rows, computed(pool)) for name, pool in corpus.pools.items()}


def test_hardly_a_row_is_told_by_its_size(corpus, db, record_property, request):
    rows = dumped(corpus.stored())
    found = figures(rows, corpus)
    assert sum(map(len, rows.values())) == 663
    assert max(right for right, _ in found.values()) <= TOLD_AT_MOST
    record_property("figure", f"{request.node.callspec.id}: of 663 rows told by size: {spelled(found)}")


def test_unpadded_many_would_be_told(corpus, db, unpadded, record_property, request):
    """The negative control. Among others' texts few sizes are one row's alone, so two in a row are looked at there."""
    rows = dumped(corpus.stored())
    found = figures(rows, corpus)
    assert found["all"][0] > 50
    assert found[f"{FEW} conversations"][0] > 10
    assert told(rows, computed(corpus.pools["all, among others"]), in_a_row=2)[0] > 600
    record_property("figure", f"{request.node.callspec.id}, unpadded: {spelled(found)}")


def test_whoever_holds_a_conversation_in_its_order_tells_it(corpus, db, record_property, request):
    """The limit: sizes of many messages in a row are still one conversation's alone."""
    rows, pool = dumped(corpus.stored()), computed(corpus.pools["all, among others"])
    found = {f"{length} in a row": told(rows, pool, length) for length in (2, 4, 8, 16)}
    assert found["2 in a row"][0] <= TOLD_AT_MOST
    assert found["16 in a row"][0] > 200
    record_property("figure", f"{request.node.callspec.id}, by size and order: {spelled(found)}")


def test_ids_from_outside_tell_whoever_knows_them(corpus, db):
    """A limit that docs/threat-model.md names, and that columns are looked at together."""
    columns = (PAYLOAD_SIZE, Column("memory.message_ids[1]", lambda message: message.id))
    assert told(dumped(corpus.stored(), columns), computed(corpus.own, columns)) == (663, 0)


# What the words of a row show


def indexed(corpus: Corpus) -> UUID:
    user_id = corpus.stored()
    index_all(user_id)
    return user_id


def test_hardly_a_row_is_told_by_its_words(corpus, db, record_property, request):
    """By how many words it has and how many different ones, beside its size."""
    columns = (PAYLOAD_SIZE, WORDS)
    rows = dumped(indexed(corpus), columns)
    found = {name: told(rows, computed(pool, columns)) for name, pool in corpus.pools.items()}
    assert max(right for right, _ in found.values()) <= TOLD_AT_MOST
    record_property("figure", f"{request.node.callspec.id}: of 663 rows told by size and words: {spelled(found)}")


def test_control_without_tokens_of_no_word_many_would_be_told(corpus, db, monkeypatch):
    for module in ("stories.text.passages", __name__):
        monkeypatch.setattr(f"{module}.dummies_beside", lambda _: 0)
    columns = (PAYLOAD_SIZE, WORDS)
    assert told(dumped(indexed(corpus), columns), computed(corpus.pools["all"], columns))[0] > 2 * TOLD_AT_MOST


def test_which_words_stand_together_tells_whoever_holds_all_texts(corpus, db, record_property, request):
    """A limit that docs/threat-model.md names. Dummy tokens stand in one row alone, and hide no others."""
    user_id = indexed(corpus)
    with unprotected("passages") as cursor:
        cursor.execute("SELECT memory_id, array_agg(word) FROM passages, unnest(words) word GROUP BY 1")
        rows = dict(cursor.fetchall())
    with as_user(user_id):
        own = {ids[0]: row_id for ids, row_id in Memory.objects.of(user_id).values_list("message_ids", "pk")}
    found = {}
    for name, pool in corpus.pools.items():
        texts = {
            message.id: [word for part in passages(as_read(message)) for word in part.words]
            for line in pool
            for message in line.messages
        }
        pairs = alone(company(texts)), alone(company(rows))
        both = pairs[0].keys() & pairs[1].keys()
        right = sum(own.get(pairs[0][each]) == pairs[1][each] for each in both)
        found[name] = right, len(both) - right
    assert found["all"][0] > 300
    record_property("figure", f"{request.node.callspec.id}, by which words stand together: {spelled(found)}")


def company(rows: Mapping[Any, Sequence[Any]], rounds: int = 3) -> dict[Any, int]:
    """What is seen of each row by its words that others have too: how many rows have each, what those are like, ..."""
    of_word = defaultdict(set)
    for row, words in rows.items():
        for word in words:
            of_word[word].add(row)
    shared = {word: at for word, at in of_word.items() if len(at) > 1}
    seen = dict.fromkeys(rows, 0)
    for _ in range(rounds):
        words_seen = {word: hash(tuple(sorted(seen[row] for row in at))) for word, at in shared.items()}
        seen = {
            row: hash(tuple(sorted(words_seen[word] for word in set(words) & shared.keys())))
            for row, words in rows.items()
        }
    return seen


def alone(seen: Mapping[Any, int]) -> dict[int, Any]:
    """Whoever looks like no other."""
    number = Counter(seen.values())
    return {look: row for row, look in seen.items() if number[look] == 1}


def test_tokens_of_no_word_look_like_others():
    signs = [dummy_token() < 0 for _ in range(400)]
    assert 100 < sum(signs) < 300


def sealed_sizes() -> dict[str, set[int]]:
    """The sizes of what is encrypted in every sealed column of every table that has any."""
    found = {}
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, SealedField):
                table = model._meta.db_table
                with unprotected(table) as cursor:
                    cursor.execute(f"SELECT octet_length({field.column}) FROM {table} WHERE {field.column} IS NOT NULL")
                    found[f"{table}.{field.column}"] = {size - OVERHEAD_BYTES for (size,) in cursor.fetchall()}
    return {column: sizes for column, sizes in found.items() if sizes}


def fill_every_column(user_id: UUID, tell: Callable[..., None]) -> None:
    """Conversation, memories, story, entities, and an answer kept for a retry."""
    tell(user_id, "first", [("Ada", "I moved to Lisbon with Tomas last Friday."), ("Mia", "Who carried the piano?")])
    with as_user(user_id):
        conversation_id = Conversation.objects.of(user_id).values_list("pk", flat=True).get()
    build_conversation(user_id, conversation_id)
    answer = Api("ada").post("/conversations", {"description": "Of a move."}, idempotency_key="k")
    assert answer.status_code == 201


def test_every_sealed_column_is_padded(ada, tell):
    fill_every_column(ada, tell)
    found = sealed_sizes()
    columns = ("title", "text", "people", "places", "events")
    assert {f"stories.{column}" for column in columns} < found.keys()
    assert {"encrypted_memories.payload", "entities.name", "kept_answers.answer"} < found.keys()
    assert {"conversations.title", "conversations.description"} < found.keys()
    assert all(size == seal.size_class(size) for sizes in found.values() for size in sizes)


def test_unpadded_hardly_a_column_would_be(ada, tell, monkeypatch):
    """The negative control."""
    classes = seal.size_class
    monkeypatch.setattr(seal, "size_class", lambda length: length)
    fill_every_column(ada, tell)
    found = sealed_sizes()
    assert len(found) > 8
    assert not any(size == classes(size) for sizes in found.values() for size in sizes)


def spelled(found: Mapping[str, tuple[int, int]]) -> str:
    return ", ".join(f"{right} ({what})" for what, (right, _) in found.items())
