"""What follows from statements of facts: what holds, what held when, and what a person's own word changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from stories.facts.statements import Kind, Statement, value_key
from stories.facts.timeline import Fact, Source, Stated, facts_of
from tests.cast import DAY


class Person:
    """Statements, one a day."""

    def __init__(self) -> None:
        self.stated: list[Stated] = []

    def says(self, attribute: str, value: str, kind: Kind = Kind.HOLDS, *, subject: str = "", **more: Any) -> datetime:
        number = len(self.stated)
        at = DAY + timedelta(days=number)
        said = Statement(subject, attribute, value, kind, **more)
        source = Source(UUID(int=number + 1), at, None, None, "user", 0, 0, "offline/1")
        self.stated.append(Stated(source, said, lambda said: self.token(said.attribute, said.value, said.subject)))
        return at

    @staticmethod
    def token(attribute: str, value: str, subject: str = "") -> int:
        return hash((subject, attribute, value_key(value)))

    def facts(self) -> list[Fact]:
        return facts_of(self.stated)

    def at(self, moment: datetime, attribute: str = "home") -> list[str]:
        return [fact.value for fact in self.facts() if fact.attribute == attribute and fact.holds_at(moment)]

    def now(self, attribute: str = "home") -> list[str]:
        return self.at(DAY + timedelta(days=300), attribute)


def test_a_new_value_ends_the_one_before_and_both_stay_with_their_times() -> None:
    ada = Person()
    first, second = ada.says("home", "Berlin"), ada.says("home", "Rome")
    assert ada.now() == ["Rome"]
    assert ada.at(first) == ["Berlin"]
    berlin, rome = ada.facts()
    assert (berlin.valid_to, berlin.superseded_by, rome.valid_to) == (second, rome.id, None)


def test_of_what_may_be_several_none_ends_another() -> None:
    ada = Person()
    ada.says("likes", "tea")
    ada.says("likes", "coffee")
    assert ada.now("likes") == ["tea", "coffee"]


def test_an_end_ends_and_said_again_it_begins_anew() -> None:
    ada = Person()
    ada.says("diet", "vegetarian")
    ended = ada.says("diet", "vegetarian", Kind.ENDED)
    assert (ada.now("diet"), ada.at(ended - timedelta(hours=1), "diet")) == ([], ["vegetarian"])
    ada.says("diet", "vegetarian")
    assert ada.now("diet") == ["vegetarian"]
    assert len(ada.facts()) == 2


def test_an_end_without_a_value_ends_whatever_there_is() -> None:
    ada = Person()
    ada.says("partner", "Jonas")
    ada.says("partner", "", Kind.ENDED)
    assert ada.now("partner") == []
    ada.says("employer", "", Kind.ENDED)
    assert len(ada.facts()) == 1, "the end of what was never said is no fact"


def test_what_has_ended_is_found_by_some_of_its_words() -> None:
    ada = Person()
    ada.says("car", "a red Fiat Panda")
    ada.says("car", "the Fiat", Kind.ENDED)
    ada.says("car", "Skoda", Kind.ENDED)
    ada.says("car", "Volvo", Kind.HELD)
    assert ada.now("car") == []
    assert [fact.value for fact in ada.facts()] == ["a red Fiat Panda", "Volvo"]


def test_what_held_long_ago_does_not_end_what_holds() -> None:
    ada = Person()
    ada.says("home", "Rome", since=DAY - timedelta(days=400))
    ada.says("home", "Porto", Kind.HELD, until=DAY - timedelta(days=500))
    ada.says("home", "Oslo", since=DAY - timedelta(days=900))
    assert ada.now() == ["Rome"]
    assert ada.at(DAY - timedelta(days=600)) == ["Oslo"]


def test_the_same_said_again_is_another_source_and_the_fuller_value_stays() -> None:
    ada = Person()
    ada.says("home", "Rome")
    ada.says("home", "Rome, Italy")
    (fact,) = ada.facts()
    assert (fact.value, len(fact.sources), fact.learned_at) == ("Rome, Italy", 2, DAY)


def test_to_like_a_thing_ends_to_dislike_it() -> None:
    ada = Person()
    ada.says("dislikes", "olives")
    ada.says("dislikes", "rain")
    ada.says("likes", "Olives")
    assert (ada.now("dislikes"), ada.now("likes")) == (["rain"], ["Olives"])


def test_an_appointment_is_over_after_its_day_and_moves_when_it_is_put_off() -> None:
    ada = Person()
    first, second, later = (DAY + timedelta(days=days) for days in (10, 15, 20))
    ada.says("appointment", "dentist", day=first.date(), until=first)
    said = ada.says("appointment", "dentist", day=second.date(), until=second)
    assert ada.at(said, "appointment") == ["dentist", "dentist"]
    ada.says("appointment", "dentist", Kind.ENDED)
    put_off = ada.says("appointment", "dentist", day=later.date(), until=later)
    assert [fact.day for fact in ada.facts() if fact.holds_at(put_off)] == [later.date()]
    assert ada.now("appointment") == []


def test_speakers_have_facts_of_their_own() -> None:
    ada = Person()
    ada.says("home", "Rome")
    ada.says("home", "Oslo", subject="Ines")
    assert ada.now() == ["Rome", "Oslo"]


def test_a_correction_outranks_what_was_said_before_it_and_not_what_is_said_after() -> None:
    ada = Person()
    ada.says("home", "Berlin")
    ada.says("home", "Rome")
    ada.says("home", "Porto", Kind.CORRECTED, of=str(UUID(int=2)), instead_of=(ada.token("home", "Rome"),))
    assert ada.now() == ["Porto"]
    assert "Rome" not in [fact.value for fact in ada.facts()]
    ada.says("home", "Rome")
    assert ada.now() == ["Rome"]


def test_what_is_forgotten_stays_so_and_what_was_before_does_not_hold_again() -> None:
    ada = Person()
    ada.says("home", "Berlin")
    ada.says("home", "Rome")
    assert ada.now() == ["Rome"]
    ada.says("home", "", Kind.FORGOTTEN, since=DAY + timedelta(days=1), instead_of=(ada.token("home", "Rome"),))
    assert ada.now() == []
    assert [fact.value for fact in ada.facts()] == ["Berlin"]
    ada.says("home", "Rome")
    assert ada.now() == ["Rome"], "said again after that, it is known again"


def test_the_order_in_which_statements_come_does_not_matter() -> None:
    ada = Person()
    ada.says("home", "Berlin")
    ada.says("home", "Rome")
    ada.says("home", "Rome", Kind.ENDED)
    assert facts_of(reversed(ada.stated)) == ada.facts()


def test_a_statement_is_read_as_it_was_written() -> None:
    said = Statement(
        "", "home", "São Tomé", Kind.CORRECTED, since=DAY, until=DAY, day=DAY.date(), start=3, end=9, instead_of=(-5, 7)
    )
    assert Statement.decode_all([said.encode()]) == [said]
    assert "São" not in repr(said)


def test_put_off_by_a_word_of_its_own_it_is_the_trip_or_the_appointment_of_that_name() -> None:
    ada = Person()
    ada.says("trip", "Phuket", day=(DAY + timedelta(days=9)).date(), until=DAY + timedelta(days=10))
    ada.says("appointment", "dentist", day=(DAY + timedelta(days=9)).date(), until=DAY + timedelta(days=10))
    at = ada.says("other", "Phuket", Kind.MOVED, day=(DAY + timedelta(days=40)).date(), until=DAY + timedelta(days=41))
    assert [(fact.attribute, fact.value) for fact in ada.facts() if fact.holds_at(at)] == [
        ("appointment", "dentist"),
        ("trip", "Phuket"),
    ]
    assert [fact.day for fact in ada.facts() if fact.attribute == "trip"][-1] == (DAY + timedelta(days=40)).date()


def test_the_end_of_a_pet_without_its_name_ends_the_only_one() -> None:
    ada = Person()
    ada.says("pet", "Bo")
    ada.says("pet", "", Kind.ENDED)
    assert ada.now("pet") == []
    ada.says("pet", "Kit")
    ada.says("pet", "Kat")
    ada.says("pet", "", Kind.ENDED)
    assert ada.now("pet") == ["Kit", "Kat"], "nobody knows which"
