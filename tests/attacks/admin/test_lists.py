"""Lists: filters, look-ups across relations, search, ordering and odd queries give nothing away."""

from __future__ import annotations

import pytest
from django.db.models import Q

from accounts.admin.people import UserPreferencesAdmin
from accounts.models import User, UserPreferences
from memories.admin import ConversationAdmin
from memories.models import Conversation, Memory
from tests.attacks.admin.stage import KNOWN, MODELS, SECRET, UNREADABLE, leaked, readable
from vibe.core.admin.base import MetadataAdmin
from vibe.core.admin.links import list_url

LOOKUPS = ("exact", "startswith", "isnull", "gte", "regex", "in")


def anything(self, lookup, value, request):
    """The admin's own refusal of filters, off."""
    return True


def found(client, model, **query):
    return len(client.get(list_url(model, **query)).context["cl"].result_list)


@pytest.mark.parametrize("lookup", LOOKUPS)
@pytest.mark.parametrize("name", UNREADABLE)
def test_filter_by_an_unreadable_column(cast, name, lookup):
    model, column = UNREADABLE[name]
    answer = cast.boss.get(list_url(model, **{f"{column}__{lookup}": KNOWN}))
    assert answer.status_code == 400
    assert not leaked(cast, answer)


def test_without_the_admin_s_own_refusal_the_database_refuses(cast, monkeypatch):
    """The first wall off, the second holds."""
    monkeypatch.setattr(MetadataAdmin, "lookup_allowed", anything)
    for model, query in ((User, {"password__startswith": "md5$"}), (Memory, {"payload__isnull": "False"})):
        answer = cast.boss.get(list_url(model, **query))
        assert answer.status_code == 500
        assert not leaked(cast, answer)


def test_control_with_both_walls_off_a_filter_is_an_oracle(cast, monkeypatch):
    monkeypatch.setattr(MetadataAdmin, "lookup_allowed", anything)
    with readable("users", "encrypted_memories"):
        assert found(cast.boss, User, password__startswith="md5$") > 0
        assert found(cast.boss, User, password__startswith="zzz") == 0
        assert found(cast.boss, Memory, payload__isnull="False") == 3


PATHS = {
    "Conversation": ("user__name__isnull", "user__password__startswith", "memories__payload__isnull"),
    "Memory": (
        *("conversation__title__isnull", "user__password"),
        *("passages__words__contains", "conversation__stories__id"),
    ),
    "Story": ("conversation__title__gte", "passages__speaker", "conversation__memories__payload__gte"),
    "Passage": ("story__text__isnull", "memory__payload__isnull", "story__people_index__contains"),
    "Entity": ("user__password__regex", "user__name__gte"),
    "User": ("groups__name", "password__startswith", "groups__permissions__codename"),
}


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in PATHS.items() for path in paths])
def test_filter_across_a_relation(cast, name, path):
    answer = cast.boss.get(list_url(MODELS[name], **{path: "1"}))
    assert answer.status_code in (400, 302)
    assert not leaked(cast, answer)


def test_control_with_both_walls_off_so_is_a_relation(cast, monkeypatch):
    monkeypatch.setattr(MetadataAdmin, "lookup_allowed", anything)
    with readable("users", "conversations"):
        assert found(cast.boss, Memory, user__password__startswith="!") == 3
        assert found(cast.boss, Memory, user__password__startswith="zzz") == 0
        assert found(cast.boss, Memory, conversation__title__isnull="False") == 3


@pytest.mark.parametrize("term", [KNOWN, KNOWN[:4], f"%{KNOWN}%", f'"{KNOWN} and"', "TOKEN", "SEALED"])
@pytest.mark.parametrize("name", MODELS)
def test_search_by_content(cast, name, term):
    term = {"TOKEN": str(cast.tokens[0]), "SEALED": cast.sealed[0].hex()}.get(term, term)
    rows = cast.boss.get(list_url(MODELS[name], q=term)).context["cl"].result_list
    assert list(rows) == [], "an answer that depends on content"


@pytest.mark.parametrize("name", MODELS)
def test_search_finds_by_what_is_known(cast, name):
    """Rows are there to be found."""
    assert found(cast.boss, MODELS[name], q="a@example.com")


def test_control_a_search_in_content_would_find(cast, monkeypatch):
    monkeypatch.setattr(UserPreferencesAdmin, "found", lambda _, term: Q(data__note__icontains=term))
    with readable("user_preferences"):
        assert found(cast.boss, UserPreferences, q=KNOWN) == 1
        assert found(cast.boss, UserPreferences, q="something else") == 0


QUERIES = ("o=-99", "o=title", "o=payload.-1", "o=1.2.3.4", "all=", "e=1", "p=99999", "_popup=1", "_to_field=title")
QUERIES += ("_facets=True", "_to_field=payload&_popup=1", "q=%00", "o=%27", "_changelist_filters=title%3D1")
QUERIES += ("before=x", "before=%00", "before=title", "before=9999-01-01~title")


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("name", ["Conversation", "Memory", "Story", "Entity", "AccessGrant"])
def test_odd_queries(cast, name, query):
    answer = cast.boss.get(f"{list_url(MODELS[name])}?{query}")
    assert answer.status_code < 500
    assert not leaked(cast, answer)


def test_control_content_in_a_column_would_be_seen(cast, monkeypatch):
    monkeypatch.setattr(ConversationAdmin, "row_id", lambda *_: SECRET)
    for query in ("", *QUERIES[:4]):
        answer = cast.boss.get(f"{list_url(Conversation)}?{query}", follow=True)
        assert leaked(cast, answer)
