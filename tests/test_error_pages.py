"""Error pages for people: framed, with the request id, what to do and ways on, and nothing of the cause."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection
from django.http import Http404, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.views import defaults

from accounts.models import User
from accounts.staff.groups import ensure_groups
from memories.models import Conversation
from tests.sessions import force_sign_in
from vibe.core.admin.links import list_url
from vibe.core.db.scopes import as_staff
from vibe.core.errors import Conflict

CANARY = "xylocanary"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def viewer(supporter: User) -> Client:
    ensure_groups()
    with as_staff():
        supporter.groups.set(Group.objects.filter(name="support"))
    return force_sign_in(Client(raise_request_exception=False), supporter)


def is_framed(answer: HttpResponse) -> bool:
    """Whether a person learns the request id, and finds a way on."""
    page = answer.content.decode()
    known = answer.headers.get("X-Request-ID", "")
    return bool(known and known in page and f'href="{reverse("admin:index")}"' in page and "<h1>" in page)


def fails_with(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise problem

    monkeypatch.setattr("memories.admin.ConversationAdmin.get_queryset", broken)


@pytest.mark.parametrize("path", ["/nowhere", "/nowhere/", "/admin/nowhere/", "/admin/accounts/nobody/"])
def test_a_page_that_is_not_there(viewer: Client, path: str) -> None:
    answer = viewer.get(path, follow=True)
    assert answer.status_code == 404
    assert is_framed(answer)


def test_a_page_that_one_may_not_see(viewer: Client) -> None:
    answer = viewer.get(reverse("admin:audit_auditlog_changelist"))
    assert answer.status_code == 403
    assert is_framed(answer)
    assert "superuser" in answer.content.decode()


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (RuntimeError(CANARY), 500),
        (Http404(CANARY), 404),
        (PermissionDenied(CANARY), 403),
        (OperationalError(CANARY), 503),
        (Conflict(), 409),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_framed_and_says_nothing_of_its_cause(
    viewer: Client, monkeypatch: pytest.MonkeyPatch, problem: Exception, status: int
) -> None:
    fails_with(monkeypatch, problem)
    answer = viewer.get(list_url(Conversation))
    assert answer.status_code == status
    assert is_framed(answer)
    assert CANARY not in answer.content.decode()


def test_control_the_pages_that_django_brings_are_found_bare() -> None:
    asked = RequestFactory().get("/nowhere")
    for answer in (defaults.page_not_found(asked, Http404()), defaults.server_error(asked)):
        answer.headers["X-Request-ID"] = "0" * 32
        assert not is_framed(answer)


def test_a_form_of_another_session_is_refused_with_what_to_do() -> None:
    answer = Client(enforce_csrf_checks=True).post(reverse("admin:login"), {"username": "x", "password": "y"})
    assert answer.status_code == 403
    assert is_framed(answer)
    assert "Open its page again" in answer.content.decode()


def test_a_host_that_is_not_ours_is_answered_without_naming_it() -> None:
    answer = Client(raise_request_exception=False).get("/", headers={"host": f"{CANARY}.example"})
    assert answer.status_code == 400
    assert is_framed(answer)
    assert CANARY not in answer.content.decode()


def test_an_error_page_reads_nothing() -> None:
    with CaptureQueriesContext(connection) as statements:
        assert is_framed(Client().get("/nowhere"))
    assert len(statements) == 0


def test_the_api_answers_as_programs_read() -> None:
    answer = Client().get("/api/nowhere")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
