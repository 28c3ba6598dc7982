"""A conversation names its companion: sealed, shown, filtered by a blind token, along in exports and imports."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from accounts.companions import companion_token
from accounts.export.archive import archive_lines
from accounts.keys.services.data_keys import open_vault
from memories.imports.services.files import FileImport
from memories.models import Conversation
from memories.services.conversations import archive_conversation, change_conversation, create_conversation
from tests.api.conftest import Api
from tests.cast import DAY, TESTER
from vibe.core.crypto.vault import Vault
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_user

VAULT, OTHER = Vault(uuid7(), {1: b"1" * 32}), Vault(uuid7(), {1: b"2" * 32})
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)


@given(names, names)
def test_a_token_is_of_one_name_exactly_and_of_one_person(one, other):
    assert (companion_token(VAULT, one) == companion_token(VAULT, other)) == (one == other)
    assert companion_token(VAULT, one) != companion_token(OTHER, one)


@pytest.mark.parametrize("other", ["nova", "Nova ", "NOVA", "Ｎova"])
def test_case_spaces_and_form_count(other):
    """The control: the blind index itself would take them for one."""
    assert VAULT.index.token("companion", "Nova") == VAULT.index.token("companion", other)
    assert companion_token(VAULT, "Nova") != companion_token(VAULT, other)


@pytest.fixture
def as_ada(ada) -> Api:
    return Api("ada")


def test_it_is_created_shown_and_kept(ada, as_ada):
    made = as_ada.post("/conversations", {"title": "Hello", "companion": "Nova"})
    assert (made.status_code, made.json()["companion"]) == (201, "Nova")
    path = f"/conversations/{made.json()['id']}"
    assert as_ada.get(path).json() == made.json()
    assert as_ada.patch(path, {"title": "Hi"}).json()["companion"] == "Nova"
    assert as_ada.post(f"{path}/archive").json()["companion"] == "Nova"
    assert as_ada.post(f"{path}/unarchive").json()["companion"] == "Nova"
    assert as_ada.get(path).json()["companion"] == "Nova"
    assert as_ada.post("/conversations", {}).json()["companion"] is None
    answer = as_ada.patch(path, {"companion": "Other"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.companion")


@pytest.mark.parametrize("name", ["", "x" * 101, 7, "a\0b"])
def test_a_name_that_is_none_is_refused(as_ada, name):
    assert as_ada.post("/conversations", {"companion": name}).status_code in (400, 422)


def test_lists_are_narrowed_by_it(as_ada):
    made = {
        name: [as_ada.post("/conversations", {"companion": name}).json()["id"] for _ in range(3)]
        for name in ("Nova", "nova", None)
    }
    as_ada.post(f"/conversations/{made['Nova'][0]}/archive")

    def listed(query):
        found, cursor = [], ""
        while cursor is not None:
            page = as_ada.get(f"/conversations?limit=2&{query}{cursor and '&cursor=' + cursor}").json()
            found += [each["id"] for each in page["items"]]
            cursor = page["next"]
        return sorted(found)

    assert listed("companion=Nova") == sorted(made["Nova"][1:])
    assert listed("companion=Nova&archived=true") == made["Nova"][:1]
    assert listed("companion=nova") == sorted(made["nova"])
    assert listed("companion=nobody") == []
    assert listed("") == sorted([*made["Nova"][1:], *made["nova"], *made[None]])
    cursor = as_ada.get("/conversations?limit=1&companion=nova").json()["next"]
    assert as_ada.get(f"/conversations?limit=1&companion=Nova&cursor={cursor}").json()["code"] == "cursor-invalid"


def test_another_persons_companion_of_the_same_name_is_another(ada, jonas, as_ada):
    create_conversation(user_id=jonas, actor=TESTER, companion="Nova")
    assert as_ada.get("/conversations?companion=Nova").json()["items"] == []


def test_its_name_is_sealed(ada):
    create_conversation(user_id=ada, actor=TESTER, companion="canary-companion", external_id="in-clear")
    with as_user(ada), connection.cursor() as cursor:
        cursor.execute("SELECT conversations::text, encode(companion, 'escape') FROM conversations")
        [(row, sealed)] = cursor.fetchall()
    assert "in-clear" in row
    assert "canary" not in row + sealed


def test_name_and_token_are_there_together(ada):
    made = create_conversation(user_id=ada, actor=TESTER, companion="Nova")
    with as_user(ada), pytest.raises(IntegrityError, match="conversations_companion_and_token"), transaction.atomic():
        Conversation.objects.of(ada).filter(pk=made.row.pk).update(companion_token=None)


def test_it_opens_after_every_verb(ada):
    made = create_conversation(user_id=ada, actor=TESTER, companion="Nova")
    what = {"user_id": ada, "conversation_id": made.row.pk, "actor": TESTER}
    assert change_conversation(**what, texts={"title": "One"}).companion == "Nova"
    assert archive_conversation(**what, archived=True).companion == "Nova"
    with as_user(ada):
        assert Conversation.objects.of(ada).get().companion_token == companion_token(open_vault(), "Nova")


def line(companion, conversation="c1", number=1):
    said = {"id": f"m{number}", "author": "Ada", "text": "Hello.", "sent_at": DAY.isoformat()}
    which = {"id": conversation} | ({"companion": companion} if companion else {})
    return json.dumps({"user": {"firebase_uid": "ada"}, "conversation": which, "messages": [said]}).encode()


def load(*given):
    refused = []
    done = FileImport(actor=TESTER, on_refused=lambda problem: refused.append(str(problem))).run(
        BytesIO(b"\n".join(given))
    )
    return done.memories, refused


def test_an_import_and_an_export_carry_it(ada):
    assert load(line("Nova"), line("Nova", number=2), line(None, "c2")) == (3, [])
    with as_user(ada):
        of_it = Conversation.objects.of(ada).with_companion(companion_token(open_vault(), "Nova"))
        assert of_it.values_list("external_id", flat=True).get() == "c1"
    exported = [each for each, _ in archive_lines(ada) if each and each["type"] == "vibe.conversation"]
    assert {each["conversation"]["id"]: each["conversation"].get("companion") for each in exported} == {
        "c1": "Nova",
        "c2": None,
    }


@pytest.mark.parametrize("first", ["Nova", None])
def test_what_one_companion_heard_does_not_go_to_another(ada, first):
    reason = "names a companion, and its conversation is with another, or with none"
    assert load(line(first)) == (1, [])
    assert load(line("canary", number=2)) == (0, [f"line 1: {reason}"])
    assert load(line(first, "c2"), line("canary", "c2", number=2)) == (1, [f"line 2: {reason}"])
    assert load(line(None, number=3), line(first, number=4)) == (2, [])
