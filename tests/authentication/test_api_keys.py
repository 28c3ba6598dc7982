"""API keys: only a digest is kept, they act for whom they name, and they are out at once when they are to be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.api_keys import services as api_keys
from accounts.models import ApiKey, User
from accounts.models.api_keys import OF_ONE_PERSON
from accounts.people.services.account_status import set_active
from tests.authentication.conftest import WHO, code, trail
from tests.cast import TESTER
from tests.protections import unprotected
from tests.test_admin import signed_in
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_api_key, as_sign_in, as_support, as_system, as_user
from vibe.core.errors import InputError, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(db: None) -> Callable[..., tuple[UUID, str]]:
    """Make a key: key("read", "write", person=ada) -> (id, credential)."""

    def make(*scopes: str, **more: Any) -> tuple[UUID, str]:
        given = {"name": "nightly import", "lasts": timedelta(days=1), "actor": TESTER, **more}
        return api_keys.make_api_key(scopes=set(scopes or OF_ONE_PERSON), **given)

    return make


def row(key_id: UUID) -> ApiKey:
    with as_system():
        return ApiKey.objects.defer("digest").get(pk=key_id)


def alter(statement: str, *values: Any) -> None:
    """As the owner of the table, walls down."""
    with unprotected("api_keys") as cursor:
        cursor.execute(f"UPDATE api_keys SET {statement}", values)


# Acting for somebody


@pytest.mark.parametrize("named", ["id:{id}", "uid:{uid}", "{uid}"])
def test_a_key_acts_for_whom_it_names(ask: Any, key: Any, ada: UUID, jonas: UUID, named: str) -> None:
    key_id, credential = key("read")
    for user_id, uid in ((ada, "ada"), (jonas, "jonas")):
        answer = ask(credential, headers={"vibe-person": named.format(id=user_id, uid=uid)})
        assert answer.json() == {"id": str(user_id), "how": "api_key", "issuer": "", "scopes": ["read"]}
    rows = trail(action="tests:who")
    assert [(row.actor_kind, row.actor, row.subject) for row in rows] == [
        ("person", str(ada), ada),
        ("person", str(jonas), jonas),
    ]
    assert {row.details["client"] for row in rows} == {f"api-key {key_id}"}


def test_it_has_to_name_somebody(ask: Any, key: Any, ada: UUID) -> None:
    answer = ask(key()[1])
    assert code(answer) == (400, "input")
    assert "Vibe-Person" in answer.json()["detail"]


@pytest.mark.parametrize(
    "named",
    [
        *("nobody", "x" * 129, "uid:" + "x" * 129, "a\tda", "ada' OR 'a'='a", "Ada", "ada@example.com"),
        *(f"id:{UUID(int=7)}", "id:ada", "uid:", "id:", "uid:uid:ada", "UID:ada"),
    ],
)
def test_it_acts_for_nobody_who_is_not_there(ask: Any, key: Any, ada: UUID, named: str) -> None:
    assert code(ask(key()[1], headers={"vibe-person": named})) == (403, "person-unknown")
    with as_system():
        assert User.objects.count() == 1


def test_it_does_not_act_for_staff(ask: Any, key: Any, supporter: User) -> None:
    assert code(ask(key()[1], headers={"vibe-person": f"id:{supporter.pk}"})) == (403, "person-unknown")


def test_a_key_of_one_person_acts_for_nobody_else(ask: Any, key: Any, ada: UUID, jonas: UUID) -> None:
    _, credential = key(person=ada)
    for headers in ({}, {"vibe-person": "ada"}, {"vibe-person": f"id:{ada}"}):
        assert ask(credential, headers=headers).json()["id"] == str(ada)
    for other in ("jonas", f"id:{jonas}"):
        assert code(ask(credential, headers={"vibe-person": other})) == (403, "person-unknown")


def test_control_a_key_of_nobody_does(ask: Any, key: Any, ada: UUID, jonas: UUID) -> None:
    _, credential = key(person=ada)
    alter("person = NULL")
    assert ask(credential, headers={"vibe-person": "jonas"}).status_code == 200


def test_who_is_deactivated_is_out(ask: Any, key: Any, ada: UUID) -> None:
    _, credential = key()
    set_active(user_id=ada, active=False, actor=TESTER)
    for named in ("ada", f"id:{ada}"):
        assert code(ask(credential, headers={"vibe-person": named})) == (403, "deactivated")


def test_a_key_does_not_make_people_and_a_token_ignores_the_header(
    ask: Any, bearer: Any, ada: UUID, jonas: UUID
) -> None:
    answer = ask(headers={**bearer("ada"), "vibe-person": "jonas"})
    assert answer.json()["id"] == str(ada)


# Scopes


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [("read", {"read"}), ("write", {"write"}), ("export", {"export"}), ("erase", set())],
)
def test_a_key_does_what_its_scope_says(ask: Any, key: Any, ada: UUID, scope: str, allowed: set[str]) -> None:
    _, credential = key(scope)
    headers = {"vibe-person": "ada"}
    asked = {
        "read": ask(credential, headers=headers),
        "write": ask(credential, headers=headers, method="post"),
        "export": ask(credential, headers=headers, path="/api/tests/export"),
    }
    assert {name for name, answer in asked.items() if answer.status_code == 200} == allowed
    for needed, answer in asked.items():
        if needed not in allowed:
            assert code(answer) == (403, "scope-missing")
            assert f'scope="{needed}"' in answer.headers["WWW-Authenticate"]
    assert {row.reason for row in trail(outcome="refused")} == {"scope-missing"}


def test_a_persons_token_has_every_scope(ask: Any, bearer: Any) -> None:
    assert ask(headers=bearer("ada")).json()["scopes"] == sorted(OF_ONE_PERSON)
    assert ask(headers=bearer("ada"), path="/api/tests/export").status_code == 200


# What is refused


def flipped(credential: str) -> str:
    return credential[:-2] + ("A" if credential[-2] != "A" else "B") + credential[-1]


@pytest.mark.parametrize(
    "changed",
    [
        flipped,
        lambda credential: credential[:-1],
        lambda credential: credential + "x",
        lambda credential: credential.upper(),
        lambda _: "vibe_",
        lambda credential: hashlib.sha256(credential.encode()).hexdigest(),
        lambda credential: "vibe_" + hashlib.sha256(credential.encode()).hexdigest(),
    ],
)
def test_another_key_is_none(ask: Any, key: Any, ada: UUID, changed: Callable[[str], str]) -> None:
    _, credential = key()
    answer = ask(changed(credential), headers={"vibe-person": "ada"})
    assert answer.status_code == 401
    assert answer.json()["code"] in ("api-key-invalid", "token-invalid")
    assert "invalid_token" in answer.headers["WWW-Authenticate"]


def test_a_revoked_key_is_out_with_the_next_request(ask: Any, key: Any, ada: UUID) -> None:
    key_id, credential = key()
    headers = {"vibe-person": "ada"}
    assert ask(credential, headers=headers).status_code == 200
    assert api_keys.revoke_api_key(key_id=key_id, actor=TESTER)
    assert code(ask(credential, headers=headers)) == (401, "api-key-invalid")
    assert not api_keys.revoke_api_key(key_id=key_id, actor=TESTER)
    assert len(trail(action="api-key.revoke")) == 1
    alter("revoked_at = NULL")
    assert ask(credential, headers=headers).status_code == 200  # the control: nothing else kept it out


def test_an_expired_key_is_out(ask: Any, key: Any, ada: UUID) -> None:
    _, credential = key()
    alter("expires_at = now() - interval '1 second'")
    assert code(ask(credential, headers={"vibe-person": "ada"})) == (401, "api-key-invalid")
    alter("expires_at = now() + interval '1 minute'")
    assert ask(credential, headers={"vibe-person": "ada"}).status_code == 200


def test_a_wrong_key_says_nothing_of_people(ask: Any, key: Any, ada: UUID) -> None:
    there, not_there = (ask("vibe_wrong", headers={"vibe-person": named}) for named in ("ada", "nobody"))
    without = {"request_id": ""}
    assert {**there.json(), **without} == {**not_there.json(), **without}


# What is kept


def test_nothing_that_is_kept_is_the_key(ask: Any, key: Any, ada: UUID, caplog: pytest.LogCaptureFixture) -> None:
    key_id, credential = key()
    ask(credential, headers={"vibe-person": "ada"})
    ask(credential)
    with unprotected("api_keys") as cursor:
        cursor.execute("SELECT k::text, digest FROM api_keys k")
        ((text, digest),) = cursor.fetchall()
    secret = credential[api_keys.HINT :]
    assert len(secret) >= 35  # six bits each: more than 200 are not shown
    assert bytes(digest) == hashlib.sha256(credential.encode()).digest()
    assert secret not in text + caplog.text + str([vars(each) for each in trail()])
    assert secret not in repr(row(key_id)) + str(row(key_id))


def test_two_keys_are_never_the_same(key: Any) -> None:
    assert len({key()[1] for _ in range(20)}) == 20


def test_use_is_noted_once_a_minute(ask: Any, key: Any, ada: UUID) -> None:
    key_id, credential = key()
    ask(credential, headers={"vibe-person": "ada"})
    assert row(key_id).last_used_at
    alter("last_used_at = now() - interval '50 seconds'")
    first = row(key_id).last_used_at
    ask(credential, headers={"vibe-person": "ada"})
    assert row(key_id).last_used_at == first
    alter("last_used_at = now() - interval '2 minutes'")
    ask(credential, headers={"vibe-person": "ada"})
    assert row(key_id).last_used_at > timezone.now() - timedelta(minutes=1)


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"scopes": set()},
        {"scopes": {"everything"}},
        {"lasts": timedelta(0)},
        {"lasts": timedelta(days=-1)},
        {"lasts": timedelta(days=10_000)},
    ],
    ids=str,
)
def test_what_is_no_key_is_not_made(given: dict[str, Any]) -> None:
    good = {"name": "n", "scopes": {"read"}, "lasts": timedelta(days=1), "actor": TESTER}
    with pytest.raises(InputError):
        api_keys.make_api_key(**{**good, **given})
    assert api_keys.list_api_keys() == []


# Walls


def test_signing_in_sees_the_one_key_that_is_shown(key: Any) -> None:
    (first, credential), (_, other) = key(), key()
    with as_api_key(api_keys.digest_of(credential)):
        assert [each.pk for each in ApiKey.objects.all()] == [first]
        assert ApiKey.objects.filter(digest=api_keys.digest_of(other)).count() == 0
        assert ApiKey.objects.update(last_used_at=timezone.now()) == 1
        for change in ("scopes = '{erase}'", "expires_at = 'infinity'", "revoked_at = NULL", "digest = ''"):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"UPDATE api_keys SET {change}")
    with as_sign_in("ada"):
        assert not ApiKey.objects.exists()


def test_control_without_the_wall_it_sees_all(key: Any) -> None:
    (_, credential), _ = key(), key()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE api_keys DISABLE ROW LEVEL SECURITY")
    with as_api_key(api_keys.digest_of(credential)):
        assert ApiKey.objects.count() == 2


def test_nobody_else_reads_a_digest(key: Any, ada: UUID) -> None:
    key(person=ada)
    for scope in (as_support, as_system, lambda: as_user(ada)):
        with scope():
            assert ApiKey.objects.defer("digest").count() == 1
            with pytest.raises(DatabaseError), transaction.atomic():
                list(ApiKey.objects.all())


def test_a_person_sees_the_keys_that_are_theirs_alone(key: Any, ada: UUID, jonas: UUID) -> None:
    mine, _ = key(person=ada)
    key(person=jonas)
    key()
    with as_user(ada):
        assert [each.pk for each in ApiKey.objects.defer("digest")] == [mine]


def test_a_key_goes_with_its_person(key: Any, ada: UUID) -> None:
    key(person=ada)
    # Erasure deletes the person last of all; here no trigger, and only the reference is left to see to it.
    with unprotected("users", "user_keys", triggers="USER") as cursor:
        cursor.execute("DELETE FROM users")
    assert api_keys.list_api_keys() == []


def test_the_database_refuses_a_key_that_is_none(db: None) -> None:
    good = {"name": "n", "hint": "h", "digest": b"x" * 32, "scopes": ["read"], "expires_at": timezone.now()}
    for change in ({"digest": b"x"}, {"scopes": []}, {"scopes": ["all"]}, {"person": uuid7()}):
        with pytest.raises(IntegrityError), transaction.atomic(), as_system():
            ApiKey(**{**good, **change}).save(force_insert=True)
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


# Commands and the admin


def test_commands_make_list_and_revoke(ask: Any, ada: UUID, capsys: Any) -> None:
    call_command("make_api_key", "--name", "import", "--scope", "read", "--scope", "write", "--for", "ada")
    made = capsys.readouterr()
    assert "cannot be shown again" in made.err
    credential = made.out.strip()
    assert ask(credential).json()["scopes"] == ["read", "write"]
    call_command("list_api_keys")
    line = capsys.readouterr().out
    assert credential[: api_keys.HINT] in line
    assert credential not in line
    assert all(part in line for part in ("import", "[read write]", str(ada), "until", "used 20"))
    call_command("revoke_api_key", line.split()[0])
    assert "Revoked." in capsys.readouterr().out
    call_command("list_api_keys")
    assert "revoked" in capsys.readouterr().out
    assert ask(credential).status_code == 401
    assert [row.actor for row in trail(action="api-key.make")] == ["make_api_key"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("make_api_key", "--name", ""),
        ("make_api_key", "--name", "n", "--days", "0"),
        ("make_api_key", "--name", "n", "--for", "nobody"),
        ("revoke_api_key", str(UUID(int=7))),
    ],
)
def test_commands_say_what_is_wrong(db: None, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        call_command(*arguments)


def test_who_is_not_there_cannot_be_revoked(db: None) -> None:
    with pytest.raises(NotFound):
        api_keys.revoke_api_key(key_id=uuid4(), actor=TESTER)


def test_the_admin_lists_them_without_the_key_and_ends_them(
    ask: Any, key: Any, ada: UUID, superuser: User, settings: Any
) -> None:
    key_id, credential = key(person=ada)
    settings.ROOT_URLCONF = "vibe.urls"
    client = signed_in(superuser)
    for page in (reverse("admin:accounts_apikey_changelist"), reverse("admin:accounts_apikey_change", args=[key_id])):
        shown = client.get(page).content.decode()
        assert credential[: api_keys.HINT] in shown
        assert credential not in shown
        assert api_keys.digest_of(credential).hex() not in shown
    revoke = reverse("admin:accounts_apikey_do", args=[key_id, "revoke"])
    assert "cannot be undone" in client.get(revoke).content.decode()
    assert row(key_id).revoked_at is None
    assert client.post(revoke).status_code == 302
    assert row(key_id).revoked_at is not None
    settings.ROOT_URLCONF = "tests.authentication.api"
    assert ask(credential, path=WHO).status_code == 401
