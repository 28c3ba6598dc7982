"""The search from every page, and the timeline: neither content nor what a role may not see comes out of them."""

from __future__ import annotations

from html import escape

import pytest
from django.urls import reverse

from accounts.models import User
from memories.admin import ConversationAdmin
from memories.models import Conversation, Memory
from tests.attacks.admin.stage import KNOWN, SAID, SECRET, first_id, leaked, signed_in, undone
from vibe.core.admin.base import MetadataAdmin
from vibe.core.admin.links import page_url
from vibe.core.db.scopes import as_staff, as_user
from vibe.staff.timeline import KINDS

MARKUP = '"><b>x</b><script>'
TERMS = (KNOWN, SECRET, SAID, KNOWN[:3], "%", "first", "m1", "a@example.com")
STAFF = ("reader", "other", "approver", "auditor", "engineer")


def search(client, term):
    return client.get(reverse("admin:search"), {"q": term})


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("name", ["boss", *STAFF])
def test_no_content_is_found(cast, name, term):
    answer = search(signed_in(cast.staff[name]), term)
    assert answer.status_code == 200
    if term in (KNOWN, SECRET, SAID, KNOWN[:3], "%"):
        assert answer.context["groups"] == [], "an answer would be an oracle"
    assert not leaked(cast, answer) or SECRET in term.lower(), "but for what was typed"


@pytest.mark.parametrize("name", ["Conversation", "Memory", "Story", "Passage", "Entity", "UserPreferences"])
def test_the_id_of_each_row_leads_to_metadata(cast, name):
    answer = search(cast.boss, str(first_id(name)))
    assert len(answer.context["groups"]) == 1
    assert not leaked(cast, answer)


def test_control_a_title_that_says_content_would_be_seen(cast, monkeypatch):
    monkeypatch.setattr(ConversationAdmin, "title_of", lambda *_: SECRET)
    assert leaked(cast, search(cast.boss, str(cast.conversation)))


@pytest.mark.parametrize("kind", ["", *KINDS])
@pytest.mark.parametrize("name", ["boss", "reader"])
def test_the_timeline_says_no_content(cast, name, kind):
    answer = signed_in(cast.staff[name]).get(page_url(User, cast.ada), {"kind": kind} if kind else {})
    assert answer.status_code == 200
    assert not leaked(cast, answer)


@pytest.mark.parametrize("term", ["a@example.com", "first", "m1"])
def test_nobody_without_a_role_finds_anything(cast, term):
    with undone():
        with as_staff():
            cast.staff["auditor"].groups.clear()
        answer = search(signed_in(cast.staff["auditor"]), term)
        assert answer.status_code == 403
        assert str(cast.ada).encode() not in answer.content


def test_control_without_the_check_they_would(cast, monkeypatch):
    monkeypatch.setattr(MetadataAdmin, "has_view_permission", lambda *_, **__: True)
    with undone():
        with as_staff():
            cast.staff["auditor"].groups.clear()
        assert str(cast.ada).encode() in search(signed_in(cast.staff["auditor"]), "a@example.com").content


def test_a_person_who_was_erased_meanwhile(cast, monkeypatch):
    """Their id was found, and then their rows were gone."""
    with as_user(cast.ada):
        memory = Memory.objects.of(cast.ada).values_list("pk", flat=True)[0]
    found = MetadataAdmin.get_queryset
    monkeypatch.setattr(MetadataAdmin, "get_queryset", lambda self, request: found(self, request).none())
    answer = search(cast.boss, str(memory))
    assert (answer.status_code, answer.context["groups"]) == (200, [])
    monkeypatch.undo()
    assert search(cast.boss, str(memory)).context["groups"], "the control"


def test_markup_in_a_name_is_text(cast):
    with undone():
        with as_user(cast.ada):
            Conversation.objects.of(cast.ada).update(external_id=MARKUP)
        for answer in (search(cast.boss, MARKUP), cast.boss.get(page_url(User, cast.ada))):
            page = answer.content.decode()
            assert escape(MARKUP) in page
            assert "<b>x</b>" not in page
