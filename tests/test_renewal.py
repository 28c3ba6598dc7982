"""A data key is renewed long before it has sealed as many values as random nonces allow."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from accounts.keys.services import data_keys, renewal
from accounts.keys.services.data_keys import destroy_data_keys, open_vault, renew_data_key
from accounts.models import UserKey
from accounts.people.services import people
from accounts.people.services.people import Profile, ensure_person
from memories.models import Memory
from tests.cast import TESTER
from tests.test_keys import said
from vibe.core.crypto.seal import HIGHEST_GENERATION, MOST_MESSAGES, generation_of
from vibe.core.db.scopes import as_system, as_user
from vibe.doctor import keys
from vibe.doctor.findings import Severity

BOUND = 20  # below key_use.STEPS every value is counted
Tell = Callable[..., None]


@pytest.fixture(autouse=True)
def low_bound(settings: Any) -> None:
    settings.DATA_KEY_SEALS = BOUND


@pytest.fixture
def ada(committed: None) -> UUID:
    return ensure_person(profile=Profile("ada"), actor=TESTER)


def counted(user_id: UUID) -> list[tuple[int, int]]:
    """Generation, and how much was counted."""
    with as_system():
        return list(UserKey.objects.of(user_id).order_by("generation").values_list("generation", "sealed"))


def messages(count: int) -> list[tuple[str, str]]:
    return [("Ada", f"Message {number}.") for number in range(count)]


def tell_up_to_the_bound(tell: Tell, user_id: UUID) -> None:
    tell(user_id, "first", messages(BOUND))


def sealed_in_rows(user_id: UUID) -> list[int]:
    """The generations that a person's memories are sealed under, oldest first."""
    with as_user(user_id):
        stored = Memory.objects.of(user_id).order_by("created_at", "pk").values_list("payload", flat=True)
        return [generation_of(each.ciphertext) or 0 for each in stored]


def test_at_the_bound_the_next_key_is_made_and_both_open(ada: UUID, tell: Tell) -> None:
    tell(ada, "first", messages(BOUND - 2))  # and a title
    assert counted(ada) == [(1, BOUND - 1)]
    assert renewal.renew_due(actor=TESTER) == 0
    tell(ada, "first", messages(BOUND))
    assert renewal.renew_due(actor=TESTER) == 1
    assert renewal.renew_due(actor=TESTER) == 0, "the new one has sealed nothing yet"
    tell(ada, "second", [("Ada", "After the renewal.")])
    assert sealed_in_rows(ada) == [1] * BOUND + [2]
    assert said(ada) == [*(text for _, text in messages(BOUND)), "After the renewal."]
    assert dict(counted(ada))[2] == 2, "the new one is counted by itself"


def test_control_nothing_counted_is_nothing_renewed(ada: UUID, tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_keys, "add_sealed", lambda *_: None)
    tell_up_to_the_bound(tell, ada)
    assert renewal.renew_due(actor=TESTER) == 0


def test_what_is_given_up_is_not_counted_and_counts_nothing_else(ada: UUID) -> None:
    with pytest.raises(KeyboardInterrupt), as_user(ada):
        open_vault().seal_all("stories", "title", [(ada, 1, "Given up.")])
        raise KeyboardInterrupt
    with transaction.atomic():
        pass
    assert counted(ada) == [(1, 0)]


def test_renewals_at_once_make_one(ada: UUID, tell: Tell) -> None:
    tell_up_to_the_bound(tell, ada)
    made, ready = [], threading.Barrier(4)

    def renew() -> None:
        ready.wait()
        try:
            made.append(renewal._renew(ada, 1, TESTER))
        finally:
            connection.close()

    threads = [threading.Thread(target=renew) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, False, True]
    assert [generation for generation, _ in counted(ada)] == [1, 2]


def test_control_who_does_not_say_instead_of_which_makes_each_one(
    ada: UUID, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        renewal, "renew_data_key", lambda *, user_id, actor, **_: renew_data_key(user_id=user_id, actor=actor)
    )
    assert [renewal._renew(ada, 1, TESTER) for _ in range(3)] == [True] * 3
    assert [generation for generation, _ in counted(ada)] == [1, 2, 3, 4]


def test_erasing_destroys_every_generation_and_renews_none(ada: UUID, tell: Tell) -> None:
    tell_up_to_the_bound(tell, ada)
    renewal.renew_due(actor=TESTER)
    tell(ada, "second", messages(BOUND))
    assert [owner for owner, _ in renewal.due_for_renewal()] == [ada]
    assert destroy_data_keys(user_id=ada, actor=TESTER) == 2
    assert renewal.due_for_renewal() == []
    assert not renewal._renew(ada, 2, TESTER), "destroyed after it was found"
    with as_system():
        assert not UserKey.objects.of(ada).filter(wrapped__isnull=False).exists()


def test_one_who_has_had_all_there_can_be_stops_nobody_else(ada: UUID, tell: Tell) -> None:
    tell_up_to_the_bound(tell, ada)
    with as_user(ada):
        people.make_data_key(ada, generation=HIGHEST_GENERATION)
    data_keys.add_sealed(ada, HIGHEST_GENERATION, BOUND)
    jonas = ensure_person(profile=Profile("jonas"), actor=TESTER)
    tell_up_to_the_bound(tell, jonas)
    assert renewal.renew_due(actor=TESTER) == 1
    assert [generation for generation, _ in counted(jonas)] == [1, 2]


def test_steps_are_right_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over every number that chance can give, exactly."""
    for sealed, size in ((1, 7), (3, 7), (7, 7), (30, 7), (1, 1), (5, 1)):
        given = iter(range(size))
        monkeypatch.setattr(data_keys, "randbelow", lambda _, given=given: next(given))
        assert sum(data_keys.whole_steps(sealed, size) for _ in range(size)) == sealed


def test_a_count_takes_as_few_writes_as_there_are_steps(settings: Any) -> None:
    settings.DATA_KEY_SEALS = 100_000_000
    assert data_keys.step() == 97_656
    assert MOST_MESSAGES > 40 * 100_000_000


def test_doctor_says_when_one_is_used_up_and_not_renewed(ada: UUID, tell: Tell) -> None:
    assert list(keys.used_up()) == []
    tell_up_to_the_bound(tell, ada)
    [finding] = keys.used_up()
    assert finding.severity == Severity.WARNING
    assert "1 data keys have sealed DATA_KEY_SEALS values or more" in finding.what
    data_keys.add_sealed(ada, 1, MOST_MESSAGES // 2)
    [finding] = keys.used_up()
    assert finding.severity == Severity.ERROR
    renewal.renew_due(actor=TESTER)
    assert list(keys.used_up()) == []
