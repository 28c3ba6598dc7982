"""Attack: a Firebase UID that is another person's id, or another person's email address.

Neither a server that names such a person, nor a command that is given the name, reaches the other one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Q

from accounts.api_keys.services import make_api_key
from accounts.authentication import sign_in
from accounts.people import names
from accounts.people.names import Name, NameAmbiguous
from accounts.people.services import people
from accounts.people.services.people import Profile, ensure_person, find_person
from audit.actors import Origin
from tests.cast import TESTER
from tests.processes import PROJECT
from vibe.core.errors import InputError, VibeError

pytestmark = pytest.mark.django_db


@pytest.fixture
def named() -> Callable[[str], UUID]:
    """The person for whom a server acts that names somebody: named("uid:ada")."""
    _, key = make_api_key(name="server", scopes={"read"}, lasts=timedelta(days=1), actor=TESTER)
    return lambda name: sign_in.authenticate(authorization=f"Bearer {key}", person=name, origin=Origin()).user_id


def sign_up(uid: str) -> UUID:
    return ensure_person(profile=Profile(uid, email="mallory@example.com"), actor=TESTER)


def spellings(user_id: UUID) -> list[str]:
    """An id in every form that is read as a UUID."""
    return [str(user_id), str(user_id).upper(), user_id.hex, f"{{{user_id}}}", f"urn:uuid:{user_id}"]


def take_uuids_for_ids(text: str) -> Name:
    """Read names as one did before they had kinds."""
    return Name("id" if names.is_uuid(text) else "", text)


@pytest.mark.parametrize("known", [True, False], ids=["signed up", "never seen"])
def test_a_uid_that_is_anothers_id_reaches_nobody_else(
    ada: UUID, named: Callable[[str], UUID], known: bool, record_property: Callable[[str, object], None]
) -> None:
    tried = 0
    for uid in spellings(ada):
        mallory = sign_up(uid) if known and uid == str(ada) else None
        for name, reached in ((uid, None), (f"uid:{uid}", mallory)):
            for reach in (named, find_person):
                tried += 1
                try:
                    assert reach(name) == reached
                except VibeError as refused:
                    assert reached is None, name
                    assert (refused.code == "person-ambiguous") == (name == uid)
                    assert str(ada) not in str(refused)
    assert named(f"id:{ada}") == find_person(f"id:{ada}") == ada
    record_property("figure", f"{tried} names, 0 reached another")


def test_control_without_kinds_it_reaches_the_other(
    ada: UUID, named: Callable[[str], UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "read_name", take_uuids_for_ids)
    monkeypatch.setattr(people, "read_name", take_uuids_for_ids)
    assert [named(uid) for uid in spellings(ada)] == [find_person(uid) for uid in spellings(ada)] == [ada] * 5


def test_a_uid_that_is_anothers_address_is_refused_without_its_kind(ada: UUID, named: Callable[[str], UUID]) -> None:
    mallory = sign_up("ada@example.com")
    with pytest.raises(NameAmbiguous, match="another's email address"):
        find_person("ada@example.com")
    assert (find_person("uid:ada@example.com"), find_person("email:ada@example.com")) == (mallory, ada)
    assert named("uid:ada@example.com") == mallory
    with pytest.raises(InputError, match="no address"):
        named("email:ada@example.com")


def test_control_who_takes_the_first_takes_either(ada: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    mallory = sign_up("ada@example.com")
    for reached in (ada, mallory):
        monkeypatch.setattr(people, "matching", lambda _, reached=reached: Q(pk=reached))
        assert find_person("ada@example.com") == reached


@pytest.mark.parametrize(
    "command",
    [
        *("erase_user {} --now --yes", "revoke_tokens --user {}", "issue_token --user {}", "mcp --user {}"),
        *(
            "make_api_key --name server --for {}",
            "build_stories --user {}",
            "reindex --user {}",
            "search_stories Where? --user {}",
            "context Where? --user {}",
            f"import_conversations {__file__} --for {{}}",
        ),
        *(
            "list_entities person --user {}",
            "check_lineage --user {}",
            "reembed_stories --user {}",
            "reindex --user {}",
        ),
    ],
)
def test_every_command_refuses_it(ada: UUID, command: str) -> None:
    with pytest.raises(CommandError, match=r"could be of two kinds\. Write uid:"):
        call_command(*command.format(ada).split())


def test_these_are_all_commands_that_find_a_person() -> None:
    """Whoever calls `find_person` elsewhere has to be among the commands above."""
    callers = {
        path.stem
        for path in PROJECT.glob("*/**/*.py")
        if re.search(r"\b(find_person|named_person|named_people)\(", path.read_text()) and path.parts[-2] == "commands"
    }
    [listed] = [mark.args[1] for mark in test_every_command_refuses_it.pytestmark]
    assert callers == {command.partition(" ")[0] for command in listed}
