"""Facts of a person: sealed, listed as they hold now, held then or in all; corrected, forgotten, gone with a memory."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from accounts.keys.services.data_keys import open_vault
from audit.models import AuditLog
from memories.models import Memory
from memories.payload import Payload
from memories.roles import Role
from memories.services.adding import NewMemory, add_memories
from memories.services.changing import change_memory, delete_memory
from memories.services.conversations import create_conversation
from stories.facts.services.changing import EndsBeforeItBegins, FactChange, correct_fact, forget_fact
from stories.facts.services.reading import NoSuchAttribute, list_facts
from stories.facts.statements import Kind, Statement
from stories.facts.storing import insert_statements
from stories.index import entries
from stories.index.services import reindex_person
from stories.models import Fact
from tests.building import converse, index_all
from tests.cast import DAY, TESTER
from vibe.core.db.scopes import as_support, as_user
from vibe.core.errors import NotFound

LATER = DAY + timedelta(days=300)


def state(user_id: UUID, attribute: str, value: str, *, day: int, kind: Kind = Kind.HOLDS) -> UUID:
    """A memory of a day, and a statement that was read in it. Return the memory's id."""
    conversation = converse(user_id, [("user", "…")], at=DAY + timedelta(days=day))
    with as_user(user_id):
        memory: Memory = Memory.objects.of(user_id).get(conversation_id=conversation)
        insert_statements(user_id, open_vault(), [(memory.pk, Statement("", attribute, value, kind))])
        assert Fact.objects.of(user_id).filter(memory=memory).count() == 1
    return memory.pk


def values(user_id: UUID, **asked: object) -> list[str]:
    return [fact.value for fact in list_facts(user_id=user_id, actor=TESTER, **asked)]  # type: ignore[arg-type]


@pytest.fixture
def moved(ada: UUID) -> UUID:
    """Ada lived in Berlin, then in Rome."""
    state(ada, "home", "Berlin", day=0)
    state(ada, "home", "Rome", day=2)
    state(ada, "likes", "figs", day=3)
    return ada


def fact_id(user_id: UUID, value: str) -> UUID:
    return next(f.id for f in list_facts(user_id=user_id, actor=TESTER, history=True) if f.value == value)


def test_they_are_listed_as_they_hold_now_or_held_then_or_all(moved: UUID) -> None:
    assert values(moved) == ["figs", "Rome"]
    assert values(moved, at=DAY + timedelta(days=1)) == ["Berlin"]
    assert values(moved, history=True) == ["figs", "Rome", "Berlin"]
    assert values(moved, attributes={"home"}) == ["Rome"]
    with pytest.raises(NoSuchAttribute):
        values(moved, attributes={"homes"})


def test_each_says_where_and_when_it_was_said(moved: UUID) -> None:
    (rome,) = list_facts(user_id=moved, actor=TESTER, attributes={"home"})
    with as_user(moved):
        memory = Memory.objects.of(moved).get(occurred_at=DAY + timedelta(days=2))
    (source,) = rome.sources
    assert (source.memory_id, source.conversation_id, source.role) == (memory.pk, memory.conversation_id, "user")
    assert rome.learned_at == memory.occurred_at


def test_no_word_of_them_is_in_the_database_or_the_log(moved: UUID) -> None:
    with as_user(moved):
        kept = [bytes(row.statement.ciphertext) for row in Fact.objects.of(moved)]
    assert not any(word in text for text in kept for word in (b"Rome", b"home", b"figs", b"likes"))
    assert len({len(text) for text in kept}) == 1, "a length would tell the attribute"
    with as_support():
        details = str(list(AuditLog.objects.filter(action__startswith="fact").values_list("details", flat=True)))
    assert "Rome" not in details


def test_a_fact_goes_with_its_memory_unless_another_supports_it(ada: UUID) -> None:
    first = state(ada, "home", "Rome", day=0)
    second = state(ada, "home", "Rome", day=1)
    delete_memory(user_id=ada, memory_id=first, actor=TESTER)
    assert values(ada) == ["Rome"]
    delete_memory(user_id=ada, memory_id=second, actor=TESTER)
    assert values(ada, history=True) == []


def test_what_has_expired_is_no_fact_any_more(moved: UUID) -> None:
    with as_user(moved):
        rome = Memory.objects.of(moved).filter(occurred_at=DAY + timedelta(days=2))
        assert rome.update(expires_at=DAY) == 1
    assert values(moved, attributes={"home"}) == ["Berlin"]


def test_a_correction_stands_before_what_was_said_and_not_before_what_is_said_later(moved: UUID) -> None:
    wrong = fact_id(moved, "Rome")
    corrected = correct_fact(user_id=moved, fact_id=wrong, change=FactChange("Porto"), actor=TESTER)
    assert (corrected.value, corrected.corrected) == ("Porto", True)
    assert values(moved, history=True, attributes={"home"}) == ["Porto", "Berlin"]
    assert values(moved, at=DAY + timedelta(days=2, hours=1), attributes={"home"}) == ["Porto"]
    state(moved, "home", "Rome", day=2)  # an older memory, read later
    assert values(moved, attributes={"home"}) == ["Porto"]
    state(moved, "home", "Oslo", day=400)
    assert values(moved, attributes={"home"}, at=DAY + timedelta(days=401)) == ["Oslo"]


def test_a_person_says_when_it_ended(moved: UUID) -> None:
    rome = fact_id(moved, "Rome")
    correct_fact(user_id=moved, fact_id=rome, change=FactChange(valid_to=DAY + timedelta(days=5)), actor=TESTER)
    assert values(moved, attributes={"home"}) == []
    assert values(moved, attributes={"home"}, at=DAY + timedelta(days=4)) == ["Rome"]
    with pytest.raises(EndsBeforeItBegins):
        correct_fact(user_id=moved, fact_id=fact_id(moved, "figs"), change=FactChange(valid_to=DAY), actor=TESTER)


def test_what_is_forgotten_is_not_learned_again_from_what_was_said(moved: UUID) -> None:
    forget_fact(user_id=moved, fact_id=fact_id(moved, "Rome"), actor=TESTER)
    state(moved, "home", "rome", day=2)  # as a rebuild reads it
    assert values(moved, history=True, attributes={"home"}) == ["Berlin"]
    assert values(moved, attributes={"home"}) == [], "nor is what was before it true again"
    with as_user(moved):
        assert Memory.objects.of(moved).count() == 4, "the memories stay"
        assert Fact.objects.of(moved).filter(memory=None).count() == 1
    state(moved, "home", "Rome", day=300)
    assert values(moved, at=LATER, attributes={"home"}) == ["Rome"], "said again, it is known again"


def test_a_corrected_fact_can_be_forgotten_too(moved: UUID) -> None:
    porto = correct_fact(user_id=moved, fact_id=fact_id(moved, "Rome"), change=FactChange("Porto"), actor=TESTER)
    forget_fact(user_id=moved, fact_id=porto.id, actor=TESTER)
    assert values(moved, attributes={"home"}, history=True) == ["Berlin"]


def test_on_request_its_memories_go_too(moved: UUID) -> None:
    forget_fact(user_id=moved, fact_id=fact_id(moved, "Rome"), actor=TESTER, with_memories=True)
    with as_user(moved):
        assert Memory.objects.of(moved).filter(occurred_at=DAY + timedelta(days=2)).count() == 0
        assert Memory.objects.of(moved).count() == 2


def test_facts_of_another_are_not_there(moved: UUID, jonas: UUID) -> None:
    rome = fact_id(moved, "Rome")
    assert values(jonas, history=True) == []
    for each in (rome, uuid4()):
        with pytest.raises(NotFound):
            forget_fact(user_id=jonas, fact_id=each, actor=TESTER)
        with pytest.raises(NotFound):
            correct_fact(user_id=jonas, fact_id=each, change=FactChange("Oslo"), actor=TESTER)
    assert "Rome" in values(moved)


def test_each_is_recorded_by_id(moved: UUID) -> None:
    rome = fact_id(moved, "Rome")
    correct_fact(user_id=moved, fact_id=rome, change=FactChange("Porto"), actor=TESTER)
    forget_fact(user_id=moved, fact_id=fact_id(moved, "figs"), actor=TESTER)
    with as_support():
        actions = set(AuditLog.objects.filter(subject=moved).values_list("action", flat=True))
    assert {"facts.list", "fact.correct", "fact.forget"} <= actions


# Read in what is said, in the transaction that adds it


def test_what_a_person_says_is_known_at_once(ada: UUID) -> None:
    converse(ada, [("user", "I live in Rome, and I'm allergic to nuts."), ("user", "My sister Ines says hi.")])
    found = list_facts(user_id=ada, actor=TESTER)
    assert {(fact.attribute, fact.value) for fact in found} == {
        ("home", "Rome"),
        ("allergy", "nuts"),
        ("sister", "Ines"),
    }
    with as_user(ada):
        text = "I live in Rome, and I'm allergic to nuts."
        assert {text[s.start : s.end] for fact in found for s in fact.sources} >= {"Rome", "nuts"}


def test_an_assistant_states_nothing_and_others_state_of_themselves(ada: UUID) -> None:
    said = [
        ("assistant", "I live in Oslo."),
        ("system", "I live in Oslo."),
        ("tool", "I live in Oslo."),
        ("Ines", "I live in Bern."),
    ]
    converse(ada, said)
    (fact,) = list_facts(user_id=ada, actor=TESTER, history=True)
    assert (fact.subject, fact.value, fact.sources[0].role) == ("Ines", "Bern", "other")


def test_a_message_of_a_person_by_their_name_is_theirs(ada: UUID) -> None:
    converse(ada, [("Ada", "I live in Bern.")])
    (fact,) = list_facts(user_id=ada, actor=TESTER)
    assert fact.subject == ""


def test_a_changed_memory_says_what_it_says_now(ada: UUID) -> None:
    converse(ada, [("user", "I live in Rome.")])
    with as_user(ada):
        memory = Memory.objects.of(ada).get().pk
    change_memory(user_id=ada, memory_id=memory, text="I live in Porto.", actor=TESTER)
    assert values(ada, history=True) == ["Porto"]
    change_memory(user_id=ada, memory_id=memory, role=Role.ASSISTANT, actor=TESTER)
    assert values(ada, history=True) == []
    change_memory(user_id=ada, memory_id=memory, role=Role.USER, actor=TESTER)
    assert values(ada, history=True) == ["Porto"]


def test_what_is_imported_or_too_much_for_a_request_is_read_by_the_job(ada: UUID) -> None:
    begun = create_conversation(user_id=ada, actor=TESTER).row.pk
    new = [NewMemory(Payload("user", f"Number {number}.")) for number in range(40)]
    new.append(NewMemory(Payload("user", "I live in Rome.")))
    add_memories(user_id=ada, conversation_id=begun, memories=new, actor=TESTER)
    assert values(ada) == []
    index_all(ada)
    assert values(ada) == ["Rome"]


def test_read_again_by_the_same_rules_facts_keep_their_ids_and_what_is_forgotten_stays_so(ada: UUID) -> None:
    converse(ada, [("user", "I live in Rome. I'm allergic to nuts.")])
    before = {fact.value: fact.id for fact in list_facts(user_id=ada, actor=TESTER)}
    forget_fact(user_id=ada, fact_id=before["nuts"], actor=TESTER)
    reindex_person(user_id=ada, everything=True, actor=TESTER)
    assert {fact.value: fact.id for fact in list_facts(user_id=ada, actor=TESTER)} == {"Rome": before["Rome"]}
    with as_user(ada):
        assert Fact.objects.of(ada).exclude(memory=None).count() == 1


def test_what_rules_do_not_read_any_more_goes_when_a_memory_is_read_again(
    ada: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    converse(ada, [("user", "I live in Rome.")])
    monkeypatch.setattr(entries, "read_statements", lambda *_: [])
    reindex_person(user_id=ada, everything=True, actor=TESTER)
    assert values(ada, history=True) == []


def test_times_are_of_the_speakers_day(ada: UUID) -> None:
    begun = create_conversation(user_id=ada, actor=TESTER).row.pk
    late = datetime(2026, 5, 12, 22, 30, tzinfo=UTC)  # past midnight where it is said
    said = NewMemory(Payload("user", "I have a dentist appointment tomorrow.", {}, 120), occurred_at=late)
    add_memories(user_id=ada, conversation_id=begun, memories=[said], actor=TESTER)
    (fact,) = list_facts(user_id=ada, actor=TESTER, at=late + timedelta(minutes=1))
    assert fact.day == date(2026, 5, 14)
    assert fact.valid_to == datetime(2026, 5, 14, 22, tzinfo=UTC)
