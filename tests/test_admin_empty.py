"""Each page of the admin with nothing in it: it says so, and where rows come from."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.grants import services as grants
from accounts.models import User
from accounts.people.services.people import Profile, ensure_person
from audit.actors import Actor, Origin
from memories.services.conversations import create_conversation
from tests.cast import TESTER
from tests.sessions import force_sign_in
from vibe.core.admin.base import MetadataAdmin
from vibe.core.admin.links import list_url
from vibe.core.db.health.reading import Chapter
from vibe.core.db.health.report import report_with_jobs
from vibe.core.db.scopes import as_support

TABLES = {one.model._meta.db_table: one for one in admin.site._registry.values() if isinstance(one, MetadataAdmin)}
NEVER_EMPTY = {"audit_logs", "auth_group"}  # whoever looks has left a row; roles come with the migrations
NOTHING = "zzz-nothing-is-called-this"


@pytest.fixture
def boss(superuser: User, settings) -> Client:
    settings.ONE_TIME_CODES = True
    return force_sign_in(Client(), superuser)


@pytest.fixture
def emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that always have rows look as if they had none."""
    rows = MetadataAdmin.get_queryset

    def seen(self, request):
        found = rows(self, request)
        return found.none() if self.model._meta.db_table in NEVER_EMPTY else found

    monkeypatch.setattr(MetadataAdmin, "get_queryset", seen)


def text_of(answer) -> str:
    """What a reader sees, on one line."""
    assert answer.status_code == 200
    main = answer.content.decode().partition('id="content"')[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def address_of(table: str) -> str:
    return list_url(User, kind="person") if table == "users" else list_url(TABLES[table].model)


def test_there_are_tables_to_walk():
    assert len(TABLES) > 20
    assert set(TABLES) >= NEVER_EMPTY


@pytest.mark.parametrize("table", sorted(TABLES))
def test_an_empty_list_says_so_and_where_rows_come_from(boss, emptied, table):
    shown = text_of(boss.get(address_of(table)))
    called = "people" if table == "users" else TABLES[table].title_of_list()
    hint = TABLES[table].empty_hint
    assert len(hint.split()) > 3
    assert f"no {called} yet {hint}".lower() in shown.lower()
    assert "Nothing matches" not in shown
    assert "0 results" not in shown


@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_search_that_finds_nothing_says_what_can_be_searched_for(boss, table):
    its = TABLES[table]
    if not its.search_fields:
        pytest.skip("has no search")
    shown = text_of(boss.get(address_of(table), {"q": NOTHING}))
    assert "Nothing matches" in shown
    assert its.search_help_text, "the reader is told what to type"
    assert its.search_help_text in shown
    assert "yet" not in shown.partition("Nothing matches")[2]


@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_filter_that_leaves_nothing_can_be_taken_off(boss, emptied, table):
    choices = boss.get(address_of(table)).context["cl"]
    links = [choice["query_string"] for spec in choices.filter_specs for choice in spec.choices(choices)]
    narrowing = [link for link in links if set(parse_qs(link.lstrip("?"))) - {TABLES[table].parted_by}]
    for link in narrowing:
        shown = text_of(boss.get(f"{address_of(table).partition('?')[0]}{link}"))
        assert "Nothing matches Take a filter off" in shown, link
        assert "Show all" in shown, link
    assert narrowing or not TABLES[table].list_filter


def test_staff_and_people_are_each_a_whole_list(boss, superuser):
    assert "No people yet" in text_of(boss.get(list_url(User, kind="person")))
    assert superuser.email in text_of(boss.get(list_url(User, kind="staff")))
    narrowed = boss.get(list_url(User, kind="person", is_active__exact="0"))
    assert "Nothing matches" in text_of(narrowed)
    assert 'href="?kind=person"' in narrowed.content.decode(), "back to all people, not to everybody"


def test_the_home_page_of_an_empty_database(boss):
    shown = text_of(boss.get(reverse("admin:index")))
    assert "Content added, last 30 days Nothing in these days." in shown
    assert "Latest in the audit log" in shown
    assert re.search(r"Memories lock 0 ", shown)
    assert "Nothing waits for you." in shown or "Work has stopped" in shown


def test_the_home_page_of_whoever_has_no_role(supporter):
    client = Client()
    with as_support():
        client.force_login(supporter)
    assert "Your account has no role yet." in text_of(client.get(reverse("admin:index")))


def test_the_trail_before_anything_happened(boss, monkeypatch):
    monkeypatch.setattr("vibe.staff.home.latest", lambda _: [])
    assert "Nothing was recorded yet." in text_of(boss.get(reverse("admin:index")))


def test_each_chapter_of_health_with_nothing_in_it_says_so(boss, monkeypatch):
    found = report_with_jobs()
    empty = [Chapter(each.title, each.about, (), each.empty) for each in found]
    monkeypatch.setattr("vibe.staff.health_page.report_with_jobs", lambda: empty)
    shown = text_of(boss.get(reverse("admin:database_health")))
    assert "Nothing needs doing." in shown
    for chapter in found:
        assert chapter.empty in shown


def test_content_of_a_person_who_said_nothing(boss, superuser):
    ada = ensure_person(profile=Profile("ada", "ada@example.com", "Ada"), actor=TESTER)
    asker, other = Actor.staff(superuser.pk, Origin()), User.objects.create_superuser("omar@example.com", "p")
    grant = grants.request_access(user_id=ada, actor=asker, reason="r", ticket="t", duration=timedelta(hours=1))
    grants.decide_request(grant_id=grant, actor=Actor.staff(other.pk, Origin()), approve=True)
    assert "This person has no conversations." in text_of(boss.get(reverse("admin:person_content", args=[ada])))
    begun = create_conversation(user_id=ada, title="Silence", actor=TESTER).row.pk
    read = text_of(boss.get(reverse("admin:conversation_content", args=[ada, begun])))
    assert "Nothing was said here." in read
    assert "Silence" in read
