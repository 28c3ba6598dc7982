"""The pages of a row and what Django's admin has beside them: history, deletion, autocomplete, names, its own log."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from accounts.admin.people import UserAdmin
from accounts.keys.services.data_keys import open_vault
from accounts.models import User
from memories.admin import ConversationAdmin
from memories.models import Conversation
from tests.attacks.admin.stage import KNOWN, MODELS, SECRET, first_id, leaked, undone
from vibe.core.admin.links import page_url
from vibe.core.crypto.fields import address_of
from vibe.core.db.schema.owned import UserOwned
from vibe.core.db.scopes import as_support, as_user

PAGES = ["", "change/", "history/", "delete/", "password/", "do/approve/", "do/archive/"]


def opened_title(row):
    """What a careless __str__ would do."""
    return open_vault().open(row.title, address_of(row, "title"))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", MODELS)
def test_pages_of_a_row(cast, name, page):
    url = page_url(MODELS[name], first_id(name)).replace("change/", page)
    for answer in (cast.boss.get(url), cast.boss.get(url + "?_popup=1&_to_field=title")):
        assert answer.status_code < 500
        assert not leaked(cast, answer)


@pytest.mark.parametrize("page", ["change/", "do/archive/", "delete/"])
def test_control_a_name_that_says_content_would_be_seen_there(cast, monkeypatch, page):
    monkeypatch.setattr(Conversation, "__str__", lambda _: SECRET)
    monkeypatch.setattr(ConversationAdmin, "title_of", lambda _, row: str(row))
    monkeypatch.setattr(ConversationAdmin, "facts", lambda _, row: [("Conversation", str(row))])
    monkeypatch.setattr(ConversationAdmin, "has_delete_permission", lambda *_: True)
    url = page_url(Conversation, cast.conversation).replace("change/", page)
    assert leaked(cast, cast.boss.get(url))


FIELDS = [
    (m, f) for m in ("conversation", "memory", "story", "entity") for f in ("user", "title", "payload", "conversation")
]


def autocomplete(cast, model, field, term):
    app = "memories" if model in ("conversation", "memory") else "stories"
    place = {"app_label": app, "model_name": model, "field_name": field, "term": term}
    return cast.boss.get(cast.url("autocomplete"), place)


@pytest.mark.parametrize(("model", "field"), FIELDS)
def test_autocomplete(cast, model, field):
    for term in (KNOWN, "a@example.com", ""):
        answer = autocomplete(cast, model, field, term)
        assert answer.status_code in (200, 403)
        assert not leaked(cast, answer)


def test_control_autocomplete_says_what_a_name_says(cast, monkeypatch):
    monkeypatch.setattr(User, "__str__", lambda _: SECRET)
    assert leaked(cast, autocomplete(cast, "conversation", "user", "a@example.com"))


def names_of(cast, model):
    with as_user(cast.ada):
        rows = model._default_manager.all()[:3] if model is not User else [User(pk=cast.ada)]
        return [f"{row} {row!r}" for row in rows]


@pytest.mark.parametrize("name", MODELS)
def test_names_of_rows(cast, name):
    """What __str__ and repr say goes into messages, logs and the admin's own log."""
    names = names_of(cast, MODELS[name])
    assert names
    assert not any(SECRET in text.lower() for text in names)


def test_control_a_name_made_of_content_is_found(cast, monkeypatch):
    monkeypatch.setattr(UserOwned, "__str__", opened_title)
    assert any(SECRET in text.lower() for text in names_of(cast, Conversation))


def log_after_a_change(cast):
    """What the admin's own log says after a superuser has changed an account of staff."""
    form = {"email": "renamed@x.org", "is_active": "on", "groups": []}
    answer = cast.boss.post(page_url(User, cast.staff["auditor"].pk), form)
    assert answer.status_code == 302, answer.content
    del cast.boss.cookies["messages"]  # the news of it, which the next page of this client would show
    with as_support():
        return [f"{entry.object_repr} {entry.change_message}" for entry in LogEntry.objects.all()]


def test_the_admin_s_own_log_has_ids_and_names_of_fields_only(cast):
    with as_support():
        assert not LogEntry.objects.exists(), "nothing of people is changed through the admin's forms"
    with undone():
        (entry,) = log_after_a_change(cast)
        assert entry == f'{cast.staff["auditor"].pk} [{{"changed": {{"fields": ["Email", "Roles"]}}}}]'


def test_control_the_log_says_what_a_name_says(cast, monkeypatch):
    monkeypatch.setattr(User, "__str__", lambda _: SECRET)
    with undone():
        (entry,) = log_after_a_change(cast)
        assert SECRET in entry


def test_the_page_of_another_s_password_is_for_superusers(cast, monkeypatch):
    url = reverse("admin:auth_user_password_change", args=[cast.staff["auditor"].pk])
    assert cast.reader.get(url).status_code == 403
    monkeypatch.setattr(UserAdmin, "has_change_permission", lambda *_: True)
    assert cast.reader.get(url).status_code == 200, "the control"
