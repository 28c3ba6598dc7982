"""Bulk edits: whatever a list is sent, no row changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from memories.admin import ConversationAdmin
from memories.models import Conversation
from tests.attacks.admin.stage import MODELS, first_id, leaked, undone
from tests.statements import complaints
from vibe.core.admin.base import MetadataAdmin
from vibe.core.admin.links import list_url
from vibe.core.admin.readable_columns import readable_fields
from vibe.core.db.scopes import as_support

ACTIONS = ("delete_selected", "export", "retry", "archive", "deactivate", "rebuild", "approve", "erase", "__class__")


def metadata(name):
    """Every row, as far as support may read it."""
    model = MODELS[name]
    with as_support():
        columns = [model._meta.get_field(field).attname for field in readable_fields(model)]
        return list(model._default_manager.order_by("pk").values_list(*columns))


def bulk(cast, name, action):
    """An action over the whole list."""
    form = {"action": action, "_selected_action": str(first_id(name)), "index": "0", "select_across": "1"}
    return cast.boss.post(list_url(MODELS[name]), form)


def edit(cast, name):
    """Django's own editing of a list."""
    fields = {"id": str(first_id(name)), "title": "x", "is_archived": "on", "is_active": "", "approved": "on"}
    management = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "_save": "1"}
    return cast.boss.post(list_url(MODELS[name]), {**management, **{f"form-0-{k}": v for k, v in fields.items()}})


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("name", ["User", "Conversation", "Memory", "Story", "AccessGrant"])
def test_bulk_actions_change_nothing(cast, name, action):
    before = metadata(name)
    assert before
    assert not leaked(cast, bulk(cast, name, action))
    assert not leaked(cast, edit(cast, name))
    after = metadata(name)
    assert [row[0] for row in after] == [row[0] for row in before]
    assert after == before


def archive(_admin, _request, queryset):
    queryset.update(is_archived=True)


def test_control_an_action_that_is_offered_does_change_rows(cast, monkeypatch):
    monkeypatch.setattr(ConversationAdmin, "get_actions", lambda *_: {"archive": (archive, "archive", "Archive")})
    monkeypatch.setattr(ConversationAdmin, "actions", ["archive"])
    with undone():
        before = metadata("Conversation")
        bulk(cast, "Conversation", "archive")
        assert metadata("Conversation") != before


def test_an_editable_list_is_refused_by_the_database(cast, monkeypatch):
    """What `list_editable` would do by one accident: an error."""
    monkeypatch.setattr(ConversationAdmin, "list_editable", ("is_archived",))
    monkeypatch.setattr(MetadataAdmin, "has_change_permission", lambda *_: True)
    before = metadata("Conversation")
    assert edit(cast, "Conversation").status_code == 500
    assert metadata("Conversation") == before


@contextmanager
def nothing_refused() -> Iterator[None]:
    """The database lets support read and change conversations, for a moment."""
    with undone(), connection.cursor() as cursor:
        cursor.execute("GRANT SELECT, UPDATE ON conversations TO vibe_support")
        yield
    complaints.clear()  # Django's own saving names no owner, of which tests.statements would complain too


def test_control_where_support_may_write_an_editable_list_does_change_rows(cast, monkeypatch):
    """Both protections off: the bulk edit goes through, and the attack above notices."""
    monkeypatch.setattr(ConversationAdmin, "list_editable", ("is_archived",))
    monkeypatch.setattr(MetadataAdmin, "has_change_permission", lambda *_: True)
    with nothing_refused():
        before = metadata("Conversation")
        assert edit(cast, "Conversation").status_code == 302
        assert metadata("Conversation") != before
    with nothing_refused(), pytest.raises(AssertionError):
        test_bulk_actions_change_nothing(cast, "Conversation", "archive")


def test_no_admin_offers_a_bulk_edit():
    from django.contrib import admin

    ours = [one for one in admin.site._registry.values() if isinstance(one, MetadataAdmin)]
    assert len(ours) > 10
    assert not [one for one in ours if one.actions or one.list_editable or one.get_actions(None)]
    assert Conversation in [one.model for one in ours]
