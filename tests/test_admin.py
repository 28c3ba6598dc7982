"""The admin: every page opens, finds and links, and none of them shows or asks for content."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.staticfiles import finders
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection, models, transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

import vibe.staff
from accounts.keys.services.data_keys import step
from accounts.models import AccessGrant, User, UserKey, UserPreferences
from accounts.people.services.people import Profile, ensure_person
from accounts.staff.groups import ensure_groups
from accounts.staff.session_store import NOTED_EVERY
from audit.models import AuditLog
from memories.models import Conversation, Memory
from stories.models import Entity, Passage, SearchSet, Story
from tests.cast import DAY, TESTER
from tests.protections import unprotected
from vibe.core.admin.base import MetadataAdmin
from vibe.core.admin.date_hierarchy import Drill
from vibe.core.admin.links import list_url, page_url
from vibe.core.admin.readable_columns import readable_fields
from vibe.core.admin.sudo_mode import SEEN
from vibe.core.crypto.fields import SealedColumn
from vibe.core.crypto.seal import Sealed
from vibe.core.db.roles import SUPPORT
from vibe.core.db.schema.constraints import Privileges
from vibe.core.db.schema.owned import first_uuid7_at, uuid7
from vibe.core.db.scopes import as_staff, as_support, as_user
from vibe.staff.navigation import GROUPS

CANARY = "xylocanary"
PASSWORD = "correct horse battery"
STATEMENTS = 15
OWN = [model for model in admin.site._registry if issubclass(type(admin.site._registry[model]), MetadataAdmin)]


@pytest.fixture(autouse=True)
def quick(settings) -> None:
    """No walk over the static files for each client, no second of hashing for each password."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def content(ada: UUID, tell) -> UUID:
    """Ada with a row in every table of hers; wherever something is sealed, it says the canary."""
    tell(ada, "first", [("Ada", f"I met {CANARY} in {CANARY}."), ("Vibe", f"Tell me of {CANARY}.")])
    with as_user(ada):
        conversation = Conversation.objects.only("pk", "user_id").get()
        memories = list(Memory.objects.only("pk", "user_id"))
        sealed = Sealed(b"\x02" + CANARY.encode() * 3)
        story = Story.objects.create(
            user_id=ada,
            conversation=conversation,
            **dict.fromkeys(("title", "text", "people", "places", "events"), sealed),
            people_index=[4242424242],
            occurred_from=DAY,
            occurred_to=DAY,
            memory_ids=[row.pk for row in memories],
            processor="tests",
            built_at=DAY,
        )
        passage = Passage(
            user_id=ada,
            conversation_id=story.conversation_id,
            story=story,
            memory=memories[0],
            speaker=4242424242,
            length=3,
        )
        passage.words, passage.occurred_at = [4242424242], DAY
        passage.save()
        Entity.objects.create(user_id=ada, kind="person", token=4242424242, name=sealed)
        SearchSet.objects.create(user_id=ada, passages=1, words=3)
        UserPreferences.objects.create(user_id=ada, data={"note": CANARY})
    with as_support():
        AccessGrant.objects.create(
            user_id=ada, requested_by=uuid7(), reason="asked", ticket="T-1", duration=timedelta(hours=1)
        )
    return ada


def signed_in(user: User) -> Client:
    client = Client()
    with as_support():
        client.force_login(user)
    return client


def can_sign_in(email: str, password: str) -> bool:
    return Client().post(reverse("admin:login"), {"username": email, "password": password}).status_code == 302


@pytest.fixture
def boss(superuser: User) -> Client:
    return signed_in(superuser)


@pytest.fixture
def viewer(supporter: User) -> Client:
    """A member of staff who may look at every table and change none."""
    with as_staff():
        supporter.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return signed_in(supporter)


def first_of(model: type[models.Model]) -> models.Model | None:
    with as_support():
        return model._default_manager.only(*admin.site._registry[model].readable()).first()


def pages_of(model: type[models.Model]) -> Iterator[str]:
    yield list_url(model)
    yield list_url(model, q="ada@example.com")
    row = first_of(model)
    if row is not None:
        yield page_url(model, row.pk)


def all_pages() -> list[str]:
    return [reverse("admin:index"), *(page for model in OWN for page in pages_of(model))]


def sealed_in_database() -> list[bytes]:
    """Every sealed value there is, read by the owner with the walls off."""
    found = []
    for model in OWN:
        for field in model._meta.concrete_fields:
            if isinstance(field, SealedColumn):
                with unprotected(model._meta.db_table) as cursor:
                    cursor.execute(
                        f"SELECT {field.column} FROM {model._meta.db_table} WHERE {field.column} IS NOT NULL"
                    )
                    found += [bytes(value) for (value,) in cursor.fetchall()]
    return found


def forbidden_columns(model: type[models.Model]) -> set[str]:
    readable = set(admin.site._registry[model].readable())
    return {field.column for field in model._meta.concrete_fields if field.name not in readable}


def reads_forbidden_column(statement: str) -> bool:
    return any(
        f'"{model._meta.db_table}"."{column}"' in statement for model in OWN for column in forbidden_columns(model)
    )


def own_account(statement: str) -> bool:
    return '"users"."password"' in statement and '"users"."id" = ' in statement and "JOIN" not in statement


@contextmanager
def as_minute_later(client: Client) -> Iterator[None]:
    """The request after a minute also notes that the session is in use: the dearest there is."""
    session = client.session
    session[SEEN] -= NOTED_EVERY
    session.save()
    yield
    assert client.session[SEEN] >= session[SEEN] + NOTED_EVERY


@pytest.mark.parametrize("who", ["boss", "viewer"])
def test_every_page_opens_in_few_round_trips_and_shows_no_content(request, content, who):
    """How many a page may take is in docs/admin.md."""
    client = request.getfixturevalue(who)
    sealed = sealed_in_database()
    assert any(CANARY.encode() in value for value in sealed), "the canary is where a leak would show it"
    for page in all_pages():
        with as_minute_later(client), CaptureQueriesContext(connection) as statements:
            answer = client.get(page)
        body = answer.content.decode()
        assert answer.status_code == 200, page
        assert CANARY not in body, page
        assert not any(value.hex() in body or repr(value)[2:-1] in body for value in sealed), page
        assert "4242424242" not in body, f"{page} shows a blind token"
        assert len(statements) <= STATEMENTS, f"{page}: {len(statements)} statements"
        # The viewer's own account is read whole, in the scope of staff accounts: see StaffBackend.
        asked = [one["sql"] for one in statements]
        assert [sql for sql in asked if reads_forbidden_column(sql)] == [sql for sql in asked if own_account(sql)], page


def test_pages_of_no_table_take_as_few(content, boss):
    person = [reverse(f"admin:{name}", args=[content]) for name in ("why_not_found", "accounts_accessgrant_ask")]
    acts = [reverse("admin:accounts_user_do", args=[content, name]) for name in ("erase", "export", "restrict")]
    own = [reverse(f"admin:{name}") for name in ("queues", "database_health", "accounts_erasure_check")]
    pages = [*own, *person, *acts]
    for page in (*pages, *(f"{reverse('admin:search')}?q={term}" for term in ("ada@example.com", content))):
        with as_minute_later(boss), CaptureQueriesContext(connection) as statements:
            assert boss.get(page).status_code == 200, page
        assert len(statements) <= STATEMENTS, f"{page}: {len(statements)} statements"


def test_every_table_of_the_product_is_registered():
    from django.apps import apps

    ours = {
        model
        for label in ("accounts", "memories", "stories", "audit")
        for model in apps.get_app_config(label).get_models()
    }
    # A bookmark of the sealer's own; counters that move with each request; secrets of staff; answers kept for repeats;
    # how far the log had come after a change; parts of a sum.
    hidden = ("AuditSealer", "RateLimit", "OneTimeDevice", "KeptAnswer", "LastChange", "StorageCount")
    without_a_page = {model for model in ours if model.__name__ in hidden}
    assert ours - without_a_page <= set(OWN)


def test_without_deferring_the_database_refuses(content, boss, monkeypatch):
    """The negative control: an admin that asks for everything gets an error, not a leak."""
    for model in (Conversation, Memory, Story, Entity):
        careless = type(admin.site._registry[model])
        monkeypatch.setattr(careless, "get_queryset", admin.ModelAdmin.get_queryset)
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            boss.get(list_url(model))


def test_a_canary_that_is_shown_would_be_found(content, boss, monkeypatch):
    """The other negative control: the same page with the content put in by hand fails the test above."""
    monkeypatch.setattr(type(admin.site._registry[Conversation]), "row_id", lambda *_: CANARY)
    assert CANARY in boss.get(list_url(Conversation)).content.decode()


@pytest.mark.parametrize("column", ["title", "payload", "embedding", "words", "name", "password", "data", "token"])
@pytest.mark.parametrize("lookup", ["isnull", "startswith", "gte", "in", "regex"])
def test_no_filter_reaches_an_unreadable_column(content, boss, column, lookup):
    for model in OWN:
        if any(field.column == column for field in model._meta.concrete_fields) and column in forbidden_columns(model):
            assert boss.get(list_url(model, **{f"{column}__{lookup}": "1"})).status_code == 400


@pytest.mark.parametrize("path", ["user__password__startswith", "conversation__title__isnull", "user__name__isnull"])
def test_no_filter_reaches_across_a_relation(content, boss, path):
    assert boss.get(list_url(Memory, **{path: "1"})).status_code == 400


@pytest.mark.parametrize("order", ["1", "-1", "99", "title", "-payload"])
def test_no_ordering_reaches_content(content, boss, order):
    for model in (Conversation, Memory, Story):
        assert boss.get(list_url(model, o=order)).status_code in (200, 302)


@pytest.mark.parametrize("page", ["add", "delete"])
def test_people_s_rows_are_only_looked_at(content, boss, page):
    for model in (Conversation, Memory, Story, Passage, Entity, SearchSet, UserPreferences, AccessGrant, AuditLog):
        row = first_of(model)
        url = {
            "add": list_url(model) + "add/",
            "delete": page_url(model, row.pk).replace("/change/", "/delete/"),
        }[page]
        assert boss.get(url).status_code == 403
        assert boss.post(url).status_code in (403, 405)


def test_autocomplete_gives_ids_only(content, boss):
    place = {"app_label": "memories", "model_name": "conversation", "field_name": "user", "term": "ada"}
    answer = boss.get(reverse("admin:autocomplete"), place)
    assert answer.json()["results"] == [{"id": str(content), "text": str(content)}]


def test_a_page_of_a_person_s_rows_takes_no_change(content, boss):
    row = first_of(Conversation)
    assert boss.post(page_url(Conversation, row.pk), {"is_archived": "on"}).status_code == 403
    with as_support():
        assert not Conversation.objects.only("is_archived").get(pk=row.pk).is_archived


def test_no_bulk_actions(content, boss):
    for model in OWN:
        assert admin.site._registry[model].get_actions(RequestFactory().get("/")) == {}


def test_anonymous_is_sent_to_sign_in(content):
    for page in all_pages():
        answer = Client().get(page)
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("admin:login"))


def test_staff_without_a_role_see_no_figures(supporter, content):
    client = signed_in(supporter)
    answer = client.get(reverse("admin:index"))
    assert answer.context["figures"] == []
    assert answer.context["latest"] is None
    assert client.get(list_url(Conversation)).status_code == 403


def test_signing_in(superuser):
    client = Client()
    answer = client.post(reverse("admin:login"), {"username": "BOSS@example.com", "password": PASSWORD})
    assert answer.status_code == 302
    with as_support():
        row = AuditLog.objects.get(action="sign-in")
        assert (row.outcome, row.actor) == ("ok", str(superuser.pk))


def test_a_wrong_password_is_recorded_as_refused(superuser):
    answer = Client().post(reverse("admin:login"), {"username": "boss@example.com", "password": "wrong"})
    assert answer.status_code == 200
    assert "wrong" not in answer.content.decode()
    with as_support():
        assert AuditLog.objects.get(action="sign-in").outcome == "refused"


def test_a_person_cannot_sign_in(ada):
    Client().post(reverse("admin:login"), {"username": "ada@example.com", "password": "!"})
    with as_support():
        assert AuditLog.objects.get(action="sign-in").outcome == "refused"


@pytest.mark.parametrize("term", ["ada@example.com", "ADA@Example.com", "ada", "{ada}"])
def test_people_are_found(content, jonas, boss, term):
    term = term.format(ada=content)
    for model in (User, Conversation, Memory, Story, Passage, Entity, SearchSet):
        rows = boss.get(list_url(model, q=term)).context["cl"].result_list
        assert rows, model
        assert {getattr(row, "user_id", row.pk) for row in rows} == {content}


def test_rows_are_found_by_their_own_id_and_by_message_id(content, boss):
    conversation = first_of(Conversation)
    assert len(boss.get(list_url(Conversation, q=conversation.pk)).context["cl"].result_list) == 1
    assert len(boss.get(list_url(Memory, q=conversation.pk)).context["cl"].result_list) == 2
    assert len(boss.get(list_url(Memory, q="m2")).context["cl"].result_list) == 1
    assert len(boss.get(list_url(Story, q=conversation.pk)).context["cl"].result_list) == 1


@pytest.mark.parametrize("term", ["nobody@example.com", "%", "_", "'", "a" * 5000, "😀", "{", "\\"])
def test_what_means_nobody_finds_nobody(content, boss, term):
    for model in OWN:
        answer = boss.get(list_url(model, q=term))
        assert answer.status_code == 200
        assert list(answer.context["cl"].result_list) == []


def test_a_nul_in_the_search_is_no_error(content, boss):
    assert boss.get(list_url(Memory, q="\x00")).status_code == 200


def test_person_and_content_lead_to_one_another(content, boss):
    conversation, story, memory = first_of(Conversation), first_of(Story), first_of(Memory)
    person = boss.get(page_url(User, content)).content.decode()
    for model in (Conversation, Memory, Story):
        assert list_url(model, user=content) in person
    assert f"?subject={content}" in person
    page = boss.get(page_url(Conversation, conversation.pk)).content.decode()
    assert page_url(User, content) in page
    for model in (Memory, Story):
        address = list_url(model, user=content, conversation=conversation.pk)
        assert address.replace("&", "&amp;") in page
        assert boss.get(address).context["cl"].result_list
    assert page_url(Conversation, conversation.pk) in boss.get(page_url(Memory, memory.pk)).content.decode()
    assert page_url(Memory, memory.pk) in boss.get(page_url(Story, story.pk)).content.decode()


def test_counts_of_a_list_take_no_more_round_trips_for_more_rows(content, person, tell, boss):
    with CaptureQueriesContext(connection) as few:
        boss.get(list_url(User))
    for name in ("bela", "carl", "dora"):
        tell(person(name), "first", [("x", "y")])
    with CaptureQueriesContext(connection) as many:
        answer = boss.get(list_url(User))
    assert len(many) == len(few)
    assert {row.count_of_conversation for row in answer.context["cl"].result_list if not row.is_staff} == {1}


def test_people_and_staff_are_told_apart(content, superuser, boss):
    assert [row.pk for row in boss.get(list_url(User, kind="person")).context["cl"].result_list] == [content]
    assert [row.pk for row in boss.get(list_url(User, kind="staff")).context["cl"].result_list] == [superuser.pk]


def test_the_trail_says_whose_data_and_what(content, superuser, boss):
    conversation = first_of(Conversation)
    boss.get(page_url(Conversation, conversation.pk))
    boss.get(list_url(Memory, user=content))
    boss.get(page_url(User, content))
    with as_support():
        rows = AuditLog.objects.filter(actor=str(superuser.pk)).order_by("at", "pk")
        assert [(row.action, row.resource, row.subject) for row in rows] == [
            ("admin:memories_conversation_change", f"conversations/{conversation.pk}", content),
            ("admin:memories_memory_changelist", "encrypted_memories", content),
            ("admin:accounts_user_change", f"users/{content}", content),
        ]


def test_a_page_that_is_not_there_is_recorded_too(boss):
    missing = uuid7()
    assert boss.get(page_url(Conversation, missing)).status_code == 302
    with as_support():
        assert AuditLog.objects.get(resource=f"conversations/{missing}")


def test_the_history_of_a_row_is_the_trail(content, boss):
    conversation = first_of(Conversation)
    answer = boss.get(reverse("admin:memories_conversation_history", args=[conversation.pk]))
    assert (
        answer["Location"]
        == reverse("admin:audit_auditlog_changelist") + f"?resource=conversations%2F{conversation.pk}"
    )


def test_a_superuser_makes_and_changes_staff(boss, superuser):
    added = boss.post(
        reverse("admin:accounts_user_add"),
        {"email": "New@Example.com", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD},
    )
    assert added.status_code == 302, added.context["errors"]
    with as_staff():
        made = User.objects.get(email="New@example.com")
    assert (made.is_staff, made.is_superuser, made.firebase_uid) == (True, False, None)
    group = Group.objects.create(name="readers of nothing")
    page = page_url(User, made.pk)
    assert boss.get(page).status_code == 200
    boss.post(page, {"email": "new@example.com", "is_active": "on", "groups": [group.pk]})
    with as_staff():
        made.refresh_from_db()
        assert (made.email, list(made.groups.all())) == ("new@example.com", [group])
    password = reverse("admin:auth_user_password_change", args=[made.pk])
    assert boss.get(password).status_code == 200
    fresh = "another long sentence"
    answer = boss.post(password, {"usable_password": "true", "password1": fresh, "password2": fresh})
    assert answer.status_code == 302
    assert can_sign_in("new@example.com", fresh)


def test_an_address_in_use_is_refused(boss, ada):
    answer = boss.post(
        reverse("admin:accounts_user_add"),
        {"email": "ADA@example.com", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD},
    )
    assert answer.status_code == 200
    assert "users_email_unique" in str(answer.context["errors"]) or answer.context["errors"]


def test_nobody_locks_themself_out(boss, superuser):
    boss.post(page_url(User, superuser.pk), {"email": "boss@example.com"})
    with as_staff():
        superuser.refresh_from_db()
    assert superuser.is_active
    assert superuser.is_superuser


def test_one_changes_one_s_own_password(boss):
    fresh = "another long sentence"
    answer = boss.post(
        reverse("admin:password_change"), {"old_password": PASSWORD, "new_password1": fresh, "new_password2": fresh}
    )
    assert answer.status_code == 302
    assert boss.get(reverse("admin:index")).status_code == 200
    assert can_sign_in("boss@example.com", fresh)


def test_staff_accounts_are_changed_by_superusers_only(viewer, superuser, supporter):
    with as_staff():
        supporter.user_permissions.set(Permission.objects.all())
    for target in (superuser, supporter):
        assert viewer.post(page_url(User, target.pk), {"email": "x@example.com"}).status_code == 403
        assert viewer.post(reverse("admin:auth_user_password_change", args=[target.pk]), {}).status_code == 403
    assert viewer.get(reverse("admin:accounts_user_add")).status_code == 403


def test_people_are_changed_by_nobody(boss, ada):
    assert boss.post(page_url(User, ada), {"email": "x@example.com"}).status_code == 403
    assert boss.get(reverse("admin:auth_user_password_change", args=[ada])).status_code == 403


def test_the_home_page_counts(content, boss):
    answer = boss.get(reverse("admin:index"))
    values = {figure.title: figure.value for figure in answer.context["figures"]}
    assert values["People"] == "1"
    assert values["Conversations"] == "1"
    assert values["Memories"] == "2"
    assert values["Stories"] == "1"
    for figure in answer.context["figures"]:
        assert boss.get(figure.url).status_code == 200
    assert not any(chart["empty"] for chart in answer.context["charts"][:2])


def test_a_list_is_drilled_down_by_date(content, boss):
    today = timezone.now().date()
    here = {"created_at__year": today.year, "created_at__month": today.month, "created_at__day": today.day}
    assert len(boss.get(list_url(Memory, **here)).context["cl"].result_list) == 2
    assert not boss.get(list_url(Memory, created_at__year=2001)).context["cl"].result_list
    assert boss.get(list_url(AuditLog, at__year=today.year)).context["cl"].result_list
    assert boss.get(list_url(Memory, created_at__year="x")).status_code == 302


def dates_above(answer: HttpResponse) -> list[str]:
    """The dates that a list offers, and what they are dates of."""
    shown = answer.content.decode().partition('aria-label="Dates"')[2].partition("</nav>")[0]
    return [re.sub("<[^>]+>", "", each).strip() for each in re.findall("<li.*?</li>", shown, re.DOTALL)]


def test_the_dates_of_one_person_s_list_are_when_things_happened(content, jonas, boss):
    with as_user(content):
        Memory.objects.filter(message_ids__contains=["m1"]).update(occurred_at=DAY - timedelta(days=365))
    years = [str(year) for year in range(DAY.year - 1, timezone.now().year + 1)]
    assert dates_above(boss.get(list_url(Memory, user=content))) == ["Occurred:", *years]
    for year in years[:2]:
        assert len(boss.get(list_url(Memory, user=content, occurred_at__year=year)).context["cl"].result_list) == 1
    assert dates_above(boss.get(list_url(Memory, user=jonas))) == [], "nothing of hers is looked at for him"
    assert dates_above(boss.get(list_url(Memory))) == ["Created:", str(timezone.now().year)]


def test_a_page_that_does_not_exist_says_so_and_leads_to_the_last(content, boss, monkeypatch):
    for size, last in ((1, 2), (50, 1)):
        monkeypatch.setattr(type(admin.site._registry[Memory]), "list_per_page", size)
        for number in ("398", "0"):
            answer = boss.get(list_url(Memory, user=content, p=number))
            assert list(answer.context["cl"].result_list) == []
            page = answer.content.decode()
            assert f"There is no page {number}" in page
            assert f"?user={content}&amp;p={last}" in page, "and no filter is lost"
        shown = boss.get(list_url(Memory, p=last))
        assert "There is no page" not in shown.content.decode()
        assert shown.context["cl"].result_list


def test_a_filter_that_cannot_be_read_is_not_left_out_silently(content, boss):
    page = boss.get(list_url(Memory, created_at__year="x"), follow=True).content.decode()
    assert "A filter in the address cannot be read." in page
    assert "cannot be read" not in boss.get(list_url(Memory)).content.decode()


def test_accounts_are_ordered_by_their_names(content, boss):
    for name in ("zoe", "bela"):
        ensure_person(profile=Profile(name, f"{name}@example.com", name), actor=TESTER)
    column = admin.site._registry[User].list_display.index("account")
    for direction, expected in (("", ["ada", "bela", "zoe"]), ("-", ["zoe", "bela", "ada"])):
        rows = boss.get(list_url(User, kind="person", o=f"{direction}{column}")).context["cl"].result_list
        assert [row.email.partition("@")[0] for row in rows] == expected


def test_normal_states_bear_no_cross(content, boss):
    """The control: the mark of the theme for "no" is a red cross."""
    theme = Path(str(finders.find("unfold/css/styles.css"))).parents[3] / "templates/unfold/helpers/boolean.html"
    assert "close_small" in theme.read_text() and "bg-red-100" in theme.read_text()
    for model in (User, Conversation, Story):
        page = boss.get(list_url(model)).content.decode()
        assert "close_small" not in page
        assert re.search(r"<td[^>]*>\s*No\s*</td>", page), model


def test_lists_are_called_what_the_sidebar_calls_them(content, boss):
    for _, items in GROUPS:
        for title, _, model, query in items:
            answer = boss.get(f"{reverse(f'admin:{model}_changelist')}?{query}")
            assert answer.context["title"] == title
            assert answer.wsgi_request.path_of_page[-1]["title"] == title
            assert f"<title> {title} | Vibe" in " ".join(answer.content.decode().split()), title


def test_the_page_of_a_row_has_a_readable_name(content, boss):
    for model in (Conversation, Memory, Story, Passage, Entity, SearchSet, UserPreferences, AccessGrant):
        row = first_of(model)
        answer = boss.get(page_url(model, row.pk))
        title = re.search(r"<title>(.*?)</title>", answer.content.decode(), re.DOTALL)[1]
        assert "ada@example.com" in title, model
        assert str(row.pk) not in title, "the whole id tells nobody anything"
        path = [each["title"] for each in answer.wsgi_request.path_of_page]
        assert path[0] == admin.site._registry[model].title_of_list()
        assert "ada@example.com" in path[1]
    answer = boss.get(page_url(User, content))
    assert [each["title"] for each in answer.wsgi_request.path_of_page] == ["People", "ada@example.com"]


def test_a_key_does_not_claim_to_have_sealed_nothing(content, boss):
    page = boss.get(list_url(UserKey)).content.decode()
    assert f"about {step():,} at most" in page


def test_the_chart_of_new_people_counts_no_staff(content, boss):
    for name in ("one", "two"):
        User.objects.create_user(f"{name}@example.com", PASSWORD)
    chart = next(each for each in boss.get(reverse("admin:index")).context["charts"] if "New people" in each["title"])
    data = json.loads(chart["data"])["datasets"][0]
    assert (data["label"], sum(data["data"])) == ("People", 1)


def test_counting_stops_at_the_window(content, boss, monkeypatch):
    monkeypatch.setattr("vibe.core.admin.paging.WINDOW", 2)
    assert boss.get(list_url(Memory)).context["cl"].paginator.total == "about 2"
    assert boss.get(list_url(Memory, user=content)).context["cl"].paginator.total == "more than 2"


def walked(client: Client, model: type[models.Model]) -> list[object]:
    """Every row of a list, going on from the last of each page."""
    found, address = [], list_url(model)
    while address and len(found) < 1000:
        listed = client.get(address).context["cl"]
        found += [row.pk for row in listed.result_list]
        address = listed.further and list_url(model) + listed.further
    return found


@pytest.mark.parametrize("model", [Memory, User, Group])
def test_going_further_down_meets_every_row_once(content, tell, boss, monkeypatch, model):
    tell(content, "second", [("Ada", "Hello."), ("Vibe", "Hello."), ("Ada", "Bye.")])
    for number in range(3):
        User.objects.create_user(f"{number}@example.com", PASSWORD)
    for name in ("one", "two", "three"):
        Group.objects.create(name=name)
    monkeypatch.setattr(type(admin.site._registry[model]), "list_per_page", 2)
    with as_support():
        whole = list(
            model._default_manager.order_by(*admin.site._registry[model].ordering).values_list("pk", flat=True)
        )
    assert len(whole) > 2
    assert walked(boss, model) == whole


def test_further_down_the_trail_two_rows_of_one_moment_are_both_met(content, boss, monkeypatch):
    monkeypatch.setattr(type(admin.site._registry[AuditLog]), "list_per_page", 3)
    with as_support():
        before = set(AuditLog.objects.values_list("pk", flat=True))
        moment = AuditLog.objects.values_list("at", flat=True).first()
    found = walked(boss, AuditLog)
    assert before <= set(found)
    assert len(found) == len(set(found))
    key = f"{moment.isoformat()}~{UUID(int=0)}"
    listed = boss.get(list_url(AuditLog, before=key)).context["cl"]
    assert all(row.at < moment for row in listed.result_list)
    assert listed.newest


def test_a_list_is_ordered_by_what_an_index_begins_with_and_one_persons_by_anything(content, boss):
    its_admin = admin.site._registry[Memory]
    column = its_admin.list_display.index("occurred_at")

    def order_of(**query):
        answer = boss.get(list_url(Memory, o=column, **query))
        return answer.context["cl"].queryset.query.order_by, "occurred_at" in answer.context["cl"].sortable_by

    assert order_of() == (("-pk", "-pk"), False)
    assert order_of(user=content)[0][0] == "occurred_at"
    assert order_of(user=content)[1]
    made = its_admin.list_display.index("created_at")
    assert boss.get(list_url(Memory, o=made)).context["cl"].queryset.query.order_by[0] == "pk"


EVERYBODY = {
    *("User", "UserKey", "UserPreferences", "AccessGrant", "Export", "Erasure"),
    *("Conversation", "Memory", "Story", "Passage", "PendingMemory", "Entity", "Import", "Fact"),
}
MAY_SEE = {
    "support": EVERYBODY,
    "approver": EVERYBODY | {"ApiKey"},
    "auditor": EVERYBODY | {"AuditLog", "AuditLeaf", "AuditCheckpoint", "AuditPruning"},
    "engineer": EVERYBODY
    | {
        "Group",
        "ApiKey",
        "WebhookEndpoint",
        "WebhookDelivery",
        "SearchSet",
        "NextVector",
        "TokenUse",
        "ProcrastinateJob",
    },
}
WHY = "Why was it not found?"
MAY_DO = {  # buttons on the pages of a person, a conversation, a memory, a story
    "support": {
        *("Request access", "Deactivate this person", "Sign out everywhere", "Export their data", "Erase this person"),
        "Restrict processing",
        *("Archive conversation", "Rebuild story", WHY),
    },
    "approver": {WHY},
    "auditor": {WHY, "Who read their data?"},
    "engineer": {"Rebuild story", WHY},
}


@pytest.mark.parametrize("role", MAY_SEE)
def test_each_role_opens_its_pages_and_no_others(content, supporter, role):
    ensure_groups()
    with as_staff():
        supporter.groups.set(Group.objects.filter(name=role))
    client, offered = signed_in(supporter), set()
    for model in OWN:
        allowed = model.__name__ in MAY_SEE[role]
        assert client.get(list_url(model)).status_code == (200 if allowed else 403), model
        if allowed and (row := first_of(model)) is not None and not isinstance(row, AccessGrant):
            pk = content if model is User else row.pk
            offered |= {button.title for button in client.get(page_url(model, pk)).context["buttons"]}
    assert offered == MAY_DO[role]
    assert client.get(reverse("admin:database_health")).status_code == (200 if role == "engineer" else 403)
    assert client.get(reverse("admin:accounts_user_add")).status_code == 403


def test_the_steps_of_a_calendar():
    oldest, today = date(2025, 11, 7), date(2026, 2, 3)
    assert [str(step) for step in Drill().steps(oldest, today)] == ["2025", "2026"]
    assert [str(step) for step in Drill(2026).steps(oldest, today)] == ["January 2026", "February 2026"]
    assert [str(step) for step in Drill(2026, 2).steps(oldest, today)] == ["1 February", "2 February", "3 February"]
    assert list(Drill(2026, 2, 1).steps(oldest, today)) == []


def test_an_id_made_now_lies_between_the_bounds_of_today():
    now = datetime.now(tz=UTC)
    lower, upper = Drill(now.year, now.month, now.day).ids()
    assert lower < uuid7() < upper
    assert first_uuid7_at(now - timedelta(seconds=1)) < uuid7() < first_uuid7_at(now + timedelta(seconds=1))


def test_what_is_loaded_comes_from_privileges():
    class Bare(models.Model):
        class Meta:
            app_label = "tests"

    class Walled(models.Model):
        seen = models.IntegerField()
        unseen = models.IntegerField()

        class Meta:
            app_label = "tests"
            constraints: ClassVar = [
                Privileges(name="walled", role=SUPPORT, verbs={"SELECT": ("id", "seen"), "UPDATE": ("unseen",)})
            ]

    assert readable_fields(Walled) == ("id", "seen")
    with pytest.raises(ImproperlyConfigured):
        readable_fields(Bare)


def test_showing_an_unreadable_column_stops_the_start():
    class Careless(MetadataAdmin):
        list_display = ("title", "user")

    found = [problem.id for problem in Careless(Conversation, admin.site).check()]
    assert found.count("vibe.E010") == 2


def test_the_landing_page_shows_nothing_of_anybody(content):
    with CaptureQueriesContext(connection) as statements:
        answer = Client().get("/")
    body = answer.content.decode()
    assert answer.status_code == 200
    assert len(statements) == 0, "it asks the database nothing"
    assert "make run" not in body and "issue_token" not in body, "DEBUG is off"
    assert reverse("admin:index") in body
    assert "ada@" not in body.lower()
    assert not re.search(r"(src|href)=\"https?://", body), "nothing is loaded from elsewhere"


def test_the_landing_page_of_development_says_where_the_sign_ins_are(db, settings):
    settings.DEBUG = True
    assert "make run" in Client().get("/").content.decode()


# How it looks


def classes(text: str) -> set[str]:
    """The classes that a template or a line of Python names."""
    bare = re.sub(r"{%.*?%}|{{.*?}}", " ", text)
    return {name for found in re.findall(r'class="([^"]*)"', bare) for name in found.split()}


def test_every_class_of_our_pages_is_one_that_the_theme_has():
    """Its stylesheet comes built, with the classes of its own pages: any other changes nothing, and nobody notices."""
    sheets = [
        Path(str(finders.find(f"unfold/{name}"))) for name in ("css/styles.css", "fonts/material-symbols/styles.css")
    ]
    known = {
        re.sub(r"\\(?:3(\d) |(.))", r"\1\2", name)  # a digit at the beginning is written as its code
        for sheet in sheets
        for name in re.findall(r"\.((?:[\w-]|\\3\d |\\.)+)", sheet.read_text())
    }
    folder = Path(vibe.staff.__file__).parent.parent
    files = [*(folder / "templates" / "vibe" / "admin").glob("*.html"), *(folder / "adminkit").glob("*.py")]
    used = {name: file.name for file in files for name in classes(file.read_text())}
    assert len(used) > 50
    assert {name: file for name, file in used.items() if name not in known} == {}
    assert "gap-x-6" not in known, "the control: one that it has not"
