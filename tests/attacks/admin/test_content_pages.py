"""The pages that do show content: not without a grant, not under one that is none, and not by an error."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, override_settings

from accounts.grants import services as grants
from accounts.models import AccessGrant
from audit.actors import Actor, Origin
from tests.attacks.admin.stage import SAID, SECRET, give, leaked, undone
from vibe.core.db.scopes import as_support
from vibe.staff import content

METHODS = ["get", "head", "post", "put", "patch", "delete", "options", "trace"]


def address(cast, part):
    return cast.url(part, cast.ada, *([cast.conversation] if part == "conversation_content" else []))


@pytest.mark.parametrize("part", ["person_content", "conversation_content"])
def test_control_what_is_shown_would_be_found(cast, part):
    """Of all of this: what is looked for is there, and is found where it may be shown."""
    assert leaked(cast, cast.reader.get(address(cast, part)))


@pytest.mark.parametrize("who", ["boss", "other", "nobody"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("part", ["person_content", "person_facts", "conversation_content"])
def test_content_without_a_grant(cast, part, method, who):
    client = Client() if who == "nobody" else getattr(cast, who)
    answer = getattr(client, method)(address(cast, part))
    assert answer.status_code in (302, 403, 405)
    assert not leaked(cast, answer)


@pytest.mark.parametrize("part", ["person_content", "conversation_content"])
def test_control_without_the_question_for_a_grant_it_is_shown(cast, part, monkeypatch):
    with as_support():
        some = AccessGrant.objects.of(cast.ada).first()
    monkeypatch.setattr("accounts.grants.services.require_grant", lambda *_: some)
    assert leaked(cast, cast.boss.get(address(cast, part)))


@pytest.mark.parametrize("standing", ["waiting", "refused", "withdrawn", "ended", "foreign", "in force"])
def test_content_under_a_grant_that_is_none(cast, standing):
    with undone():
        approve = {"waiting": None, "withdrawn": None, "refused": False}.get(standing, True)
        grant = give(cast.staff, "boss", cast.jonas if standing == "foreign" else cast.ada, approve=approve)
        if standing in ("withdrawn", "ended"):
            grants.end_grant(grant_id=grant, actor=Actor.staff(cast.staff["boss"].pk, Origin()))
        answer = cast.boss.get(address(cast, "conversation_content"))
        if standing == "in force":  # the control
            assert (answer.status_code, bool(leaked(cast, answer))) == (200, True)
        else:
            assert (answer.status_code, leaked(cast, answer)) == (403, [])


def test_another_person_s_conversation_under_one_s_own_grant(cast):
    """A grant for Jonas does not open Ada's conversation by naming Jonas in the address."""
    answer = cast.other.get(cast.url("conversation_content", cast.jonas, cast.conversation))
    assert answer.status_code == 404
    assert not leaked(cast, answer)


def test_control_a_page_that_forgot_whose_it_is_would_show_it(cast, monkeypatch):
    opened = content.conversation
    monkeypatch.setattr("vibe.staff.content.conversation", lambda _, *rest: opened(cast.ada, *rest))
    assert leaked(cast, cast.other.get(cast.url("conversation_content", cast.jonas, cast.conversation)))


# Errors while content is in hand


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("place", ["reading", "drawing"])
def test_an_error_page_says_nothing(cast, monkeypatch, debug, place):
    blow_up(monkeypatch, place)
    with override_settings(DEBUG=debug):
        answer = cast.reader.get(address(cast, "conversation_content"))
    assert answer.status_code == 500
    assert b"could not be shown" in answer.content
    assert not leaked(cast, answer)


def test_control_without_the_guard_the_error_page_would_say_it(cast, monkeypatch):
    """The same error, let through, is a page of local variables."""
    blow_up(monkeypatch, "drawing")
    monkeypatch.setattr("vibe.staff.content_pages.NotShown", lambda _text: RuntimeError(SAID))
    with override_settings(DEBUG=True):
        answer = cast.reader.get(address(cast, "conversation_content"))
    assert answer.status_code == 500
    assert SECRET in answer.content.decode().lower()


def blow_up(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    opened = content.conversation

    def reading(*args: Any) -> Any:
        found = opened(*args)
        raise RuntimeError(found.memories.rows[0].payload.text)

    def drawing(*_: Any, **context: Any) -> Any:
        raise RuntimeError(context["page"].rows[0].payload.text)

    if place == "reading":
        monkeypatch.setattr("vibe.staff.content.conversation", reading)
    else:
        monkeypatch.setattr("vibe.staff.content_pages.shown", drawing)
