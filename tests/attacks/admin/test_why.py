"""Why was it not found: nothing of what was said without a grant, and the question is stored nowhere."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.grants import services as grants
from accounts.models import AccessGrant
from audit.actors import Actor, Origin
from audit.models import AuditLog
from memories.models import Memory
from memories.services.changing import delete_memory
from stories.models import Passage, Story
from tests.attacks.admin.stage import KNOWN, SECRET, give, leaked, signed_in, undone
from tests.protections import unprotected
from vibe.core.db.scopes import as_support, as_system, as_user
from vibe.staff import why_pages

QUESTION = f"Who is {KNOWN}?"


def asked(cast: Any, client: Client, person: Any = None, **more: str) -> Any:
    return client.post(cast.url("why_asked", person or cast.ada), {"question": QUESTION, **more})


def memory_of(cast: Any) -> Any:
    with as_support():
        return Memory._default_manager.filter(user_id=cast.ada).only("pk", "message_ids").order_by("pk").first()


def facts(answer: Any) -> str:
    return "\n".join(fact.text for each in answer.context["sought"] for fact in each.facts)


@pytest.mark.parametrize("who", ["boss", "other", "nobody"])
@pytest.mark.parametrize("method", ["get", "head", "post", "put", "patch", "delete", "options", "trace"])
def test_a_question_without_a_grant(cast, method, who):
    client = Client() if who == "nobody" else getattr(cast, who)
    answer = getattr(client, method)(cast.url("why_asked", cast.ada), {"question": QUESTION})
    assert answer.status_code in (302, 403, 405)
    assert not leaked(cast, answer)


@pytest.mark.parametrize("role", ["approver", "auditor", "engineer"])
def test_roles_that_may_hold_no_grant_ask_nothing(cast, role):
    assert asked(cast, signed_in(cast.staff[role])).status_code == 403


def test_control_without_the_question_for_a_grant_it_answers(cast, monkeypatch):
    with as_support():
        some = AccessGrant.objects.of(cast.ada).first()
    monkeypatch.setattr("accounts.grants.services.require_grant", lambda *_: some)
    assert leaked(cast, asked(cast, cast.boss))


def test_a_grant_that_ended_while_the_page_was_open(cast):
    with undone():
        grant = give(cast.staff, "boss", cast.ada)
        assert leaked(cast, asked(cast, cast.boss)), "the control: while it lasts"
        grants.end_grant(grant_id=grant, actor=Actor.staff(cast.staff["boss"].pk, Origin()))
        answer = asked(cast, cast.boss)
        assert (answer.status_code, leaked(cast, answer)) == (403, [])


def test_another_person_s_memory_under_one_s_own_grant(cast):
    answer = asked(cast, cast.other, cast.jonas, memory=str(memory_of(cast).pk))
    assert answer.status_code == 200
    assert not leaked(cast, answer)
    assert "no such memory" in answer.context["missing"].text


@pytest.mark.parametrize("term", ["", "m1", "nothing", "ID", KNOWN, "%", "'", "x" * 5000, "\x00"])
def test_metadata_alone_says_nothing_of_what_was_said(cast, term):
    term = str(memory_of(cast).pk) if term == "ID" else term
    answer = cast.boss.get(cast.url("why_not_found", cast.ada), {"memory": term})
    assert answer.status_code == 200
    assert not leaked(cast, answer)
    known = term in ("m1", str(memory_of(cast).pk))
    assert bool(answer.context["sought"]) == known


def test_control_metadata_with_the_text_in_it_would_be_seen(cast, monkeypatch):
    monkeypatch.setattr(why_pages, "facts_of_person", lambda _: [why_pages.Fact(SECRET)])
    assert leaked(cast, cast.boss.get(cast.url("why_not_found", cast.ada)))


def test_every_role_sees_the_metadata_and_who_has_none_does_not(cast):
    for role in ("reader", "approver", "auditor", "engineer"):
        client = signed_in(cast.staff[role])
        assert client.get(cast.url("why_not_found", cast.ada)).status_code == 200
    with undone():
        with unprotected("users") as cursor:
            cursor.execute("DELETE FROM users_groups WHERE user_id = %s", [cast.staff["auditor"].pk])
        assert signed_in(cast.staff["auditor"]).get(cast.url("why_not_found", cast.ada)).status_code == 403
    assert cast.boss.get(cast.url("why_not_found", cast.staff["boss"].pk)).status_code == 404, "staff have no memories"


def test_the_question_is_stored_nowhere(cast):
    odd = "quizzical-frabjous"
    with undone():
        assert asked(cast, cast.reader, question=f"{odd} {KNOWN}?").status_code == 200
        with as_support():
            rows = list(AuditLog.objects.about(cast.ada).by(cast.staff["reader"].pk))
        assert {row.action for row in rows} >= {"content.read", "memories.search"}
        assert odd not in json.dumps([[row.resource, row.reason, row.details] for row in rows])
        with as_system():
            assert not [job for job in ProcrastinateJob.objects.all() if odd in str(job.args)]


# What is said of a memory


def test_what_was_sought_is_shown_with_its_place_and_why(cast):
    answer = asked(cast, cast.reader, memory="m2")
    assert answer.context["verdict"].startswith("It came at place ")
    sought = next(each for each in answer.context["results"] if each.is_sought)
    assert "words of the question +" in sought.parts
    assert "It is in the index since " in facts(answer)
    assert "Its story was built " in facts(answer)


def look(cast: Any) -> Any:
    return cast.boss.get(cast.url("why_not_found", cast.ada), {"memory": "m1"})


def test_a_memory_that_was_never_indexed(cast):
    with undone():
        with as_user(cast.ada):
            Passage.objects.of(cast.ada).filter(memory_id=memory_of(cast).pk).delete()
        assert "manage.py reindex" in facts(look(cast))
        answer = asked(cast, cast.reader, memory="m1")
        assert answer.context["verdict"] == "It did not come. What is marked below is why."
    assert "manage.py reindex" not in facts(look(cast)), "the control"


def test_a_memory_that_expired_and_a_story_that_failed(cast):
    with undone():
        with as_user(cast.ada):
            Story.objects.of(cast.ada).update(
                failure="The model service gave no answer.", due_at=timezone.now(), tries=3
            )
            Memory._default_manager.filter(user_id=cast.ada).update(expires_at=timezone.now() - timedelta(hours=1))
        said = facts(look(cast))
        assert "It expired " in said
        assert "The last build failed, after 3 tries: The model service gave no answer." in said
        assert any("could not be built" in fact.text for fact in look(cast).context["facts"])


def test_a_memory_that_was_deleted_is_told_to_who_may_read_the_audit_log(cast):
    with undone():
        memory = memory_of(cast).pk
        delete_memory(user_id=cast.ada, memory_id=memory, actor=Actor.system("tests"))
        query = {"memory": str(memory)}
        url = cast.url("why_not_found", cast.ada)
        assert cast.boss.get(url, query).context["missing"].text.startswith("It was deleted ")
        told = cast.reader.get(url, query).context["missing"].text
        assert "never came in, or it was deleted" in told
