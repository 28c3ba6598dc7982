"""Ways around the admin's walls: 0 bytes of content by any of them, and no answer that depends on content.

Every sealed column of Ada's holds two canaries. An attack may know the first, so that an answer which depends on it
is an oracle; the second must never come out. All attacks of this file share one transaction, undone at the end.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, models, transaction
from django.test import Client, override_settings
from django.urls import reverse

from accounts import grants
from accounts.groups import ensure_groups
from accounts.models import AccessGrant, User, UserPreferences
from accounts.services import Profile, ensure_person
from audit.actors import Actor, Origin
from memories.lines import ConversationLine, Message
from memories.models import Conversation, Memory
from memories.payload import Payload
from memories.services import import_conversations
from stories.models import Entity, Passage, Story
from stories.services import build_story
from tests.conftest import DAY, TESTER
from vibe.adminkit.links import list_url, page_url
from vibe.adminkit.readable import readable_fields
from vibe.crypto.fields import SealedColumn
from vibe.db.contexts import as_staff, as_support, as_user
from vibe.staff import content

KNOWN, SECRET = "xylocanary", "zorbafrond"
SAID = f"{KNOWN.capitalize()} and {SECRET.capitalize()} met me in Lisbon in May 2025, and we saw {SECRET}."
PEOPLE_S = (User, Conversation, Memory, Story, Passage, Entity, UserPreferences, AccessGrant)
SEALED = [
    (model, field.column)
    for model in PEOPLE_S
    for field in model._meta.concrete_fields
    if field.name not in readable_fields(model)
]
LOOKUPS = ("exact", "startswith", "isnull", "gte", "regex", "in")
NAMES = [f"{model.__name__}.{column}" for model, column in SEALED]
BY_NAME = dict(zip(NAMES, SEALED, strict=True))
MODELS = {model.__name__: model for model in PEOPLE_S}


@dataclass
class Cast:
    """Who and what is there."""

    ada: UUID
    jonas: UUID
    conversation: UUID
    boss: Client  # every permission, and no grant
    reader: Client  # a grant in force for Ada
    other: Client  # of support too, with a grant for Jonas only
    staff: dict[str, User]
    sealed: list[bytes]
    tokens: list[int]

    def url(self, name: str, *args: Any) -> str:
        return reverse(f"admin:{name}", args=args)


@pytest.fixture(scope="module")
def cast(django_db_setup: None, django_db_blocker: Any) -> Iterator[Cast]:
    quick = {"PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"]}
    with django_db_blocker.unblock(), override_settings(**quick), transaction.atomic():
        try:
            yield make()
        finally:
            transaction.set_rollback(True)


def make() -> Cast:
    ada, jonas = (
        ensure_person(profile=Profile(name, f"{name}@example.com", SAID), actor=TESTER) for name in ("a", "j")
    )
    messages = tuple(Message(f"m{n}", Payload(KNOWN.title(), SAID), DAY + timedelta(minutes=n)) for n in range(1, 4))
    line = ConversationLine(1, Profile("-"), "first", SAID, SAID, DAY, messages)
    import_conversations(user_id=ada, lines=[line], actor=TESTER)
    with as_user(ada):
        conversation = Conversation.objects.of(ada).get().pk
        UserPreferences.objects.create(user_id=ada, data={"note": SAID})
    build_story(user_id=ada, conversation_id=conversation, actor=TESTER)
    ensure_groups()
    staff = {name: User.objects.create_user(f"{name}@x.org", "p") for name in ("reader", "other", "approver")}
    staff["boss"] = User.objects.create_superuser("boss@x.org", "p")
    with as_staff():
        for name, user in staff.items():
            user.groups.set(Group.objects.filter(name="approver" if name == "approver" else "support"))
    give(staff, "reader", ada)
    give(staff, "other", jonas)
    clients = {name: signed_in(user) for name, user in staff.items()}
    with as_user(ada):
        sealed = [
            bytes(value.ciphertext)
            for model, column in SEALED
            if isinstance(model._meta.get_field(column), SealedColumn) and model is not User
            for value in model._default_manager.values_list(column, flat=True)
            if value is not None
        ]
        tokens = list(Entity.objects.values_list("token", flat=True))
    assert len(sealed) >= 10
    assert tokens
    return Cast(ada, jonas, conversation, clients["boss"], clients["reader"], clients["other"], staff, sealed, tokens)


def give(staff: dict[str, User], name: str, person: UUID, *, approve: bool | None = True) -> UUID:
    """A request, and its approval or refusal."""
    actor, decider = Actor.staff(staff[name].pk, Origin()), Actor.staff(staff["approver"].pk, Origin())
    grant = grants.ask(user_id=person, actor=actor, reason="r", ticket="t", duration=timedelta(hours=1))
    if approve is not None:
        grants.decide(grant_id=grant, actor=decider, approve=approve)
    return grant


def signed_in(user: User) -> Client:
    client = Client(raise_request_exception=False)
    with as_support():
        client.force_login(user)
    return client


def leaked(cast: Cast, answer: Any) -> list[str]:
    """Every form in which content came out: in the body, the headers or the cookies."""
    whole = b"".join(
        [answer.content, *(f"{k}{v}".encode() for k, v in answer.headers.items()), str(answer.cookies).encode()]
    )
    forms = [SECRET.encode(), SECRET.capitalize().encode(), SECRET.encode().hex().encode()]
    for value in cast.sealed:
        forms += [value, value.hex().encode(), b64encode(value), repr(value)[2:-1].encode()]
    forms += [str(token).encode() for token in cast.tokens]
    return [form[:20].decode("latin-1") for form in forms if form in whole]


# The negative control of all: what is looked for is there, and is found where it may be shown.


def test_what_is_shown_would_be_found(cast):
    for url in (cast.url("person_content", cast.ada), cast.url("conversation_content", cast.ada, cast.conversation)):
        assert leaked(cast, cast.reader.get(url))


# Filters, search, ordering


@pytest.mark.parametrize("lookup", LOOKUPS)
@pytest.mark.parametrize("name", NAMES)
def test_filter_by_an_unreadable_column(cast, name, lookup):
    model, column = BY_NAME[name]
    answer = cast.boss.get(list_url(model, **{f"{column}__{lookup}": KNOWN}))
    assert answer.status_code == 400
    assert not leaked(cast, answer)


PATHS = {
    "Conversation": ("user__name__isnull", "user__password__startswith", "memories__payload__isnull"),
    "Memory": (
        "conversation__title__isnull",
        "user__password",
        "passages__words__contains",
        "conversation__stories__id",
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


@pytest.mark.parametrize("term", [KNOWN, KNOWN[:4], f"%{KNOWN}%", f'"{KNOWN} and"', "TOKEN", "SEALED"])
@pytest.mark.parametrize("name", MODELS)
def test_search_by_content(cast, name, term):
    term = {"TOKEN": str(cast.tokens[0]), "SEALED": cast.sealed[0].hex()}.get(term, term)
    rows = cast.boss.get(list_url(MODELS[name], q=term)).context["cl"].result_list
    assert list(rows) == [], "an answer that depends on content"


@pytest.mark.parametrize("name", MODELS)
def test_search_finds_by_what_is_known(cast, name):
    """The control: rows are there to be found."""
    assert cast.boss.get(list_url(MODELS[name], q="a@example.com")).context["cl"].result_list


QUERIES = ("o=-99", "o=title", "o=payload.-1", "o=1.2.3.4", "all=", "e=1", "p=99999", "_popup=1", "_to_field=title")
QUERIES += ("_facets=True", "_to_field=payload&_popup=1", "q=%00", "o=%27", "_changelist_filters=title%3D1")


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("name", ["Conversation", "Memory", "Story", "Entity"])
def test_odd_queries(cast, name, query):
    answer = cast.boss.get(f"{list_url(MODELS[name])}?{query}")
    assert answer.status_code < 500
    assert not leaked(cast, answer)


# Pages that Django's admin has beside the list


@pytest.mark.parametrize("page", ["", "change/", "history/", "delete/", "password/", "do/approve/", "do/archive/"])
@pytest.mark.parametrize("name", MODELS)
def test_pages_of_a_row(cast, name, page):
    with as_support():
        model = MODELS[name]
        pk = model._default_manager.filter(pk__isnull=False).values_list("pk", flat=True).first()
    url = page_url(model, pk).replace("change/", page)
    for answer in (cast.boss.get(url), cast.boss.get(url + "?_popup=1&_to_field=title")):
        assert answer.status_code < 500
        assert not leaked(cast, answer)


@pytest.mark.parametrize("action", ["delete_selected", "export", "retry", "archive", "__class__"])
@pytest.mark.parametrize("name", ["User", "Conversation", "Memory", "Story"])
def test_bulk_actions(cast, name, action):
    with as_support():
        count = MODELS[name]._default_manager.count()
        pk = MODELS[name]._default_manager.values_list("pk", flat=True).first()
    form = {"action": action, "_selected_action": str(pk), "index": "0", "select_across": "1", "form-0-title": "x"}
    answer = cast.boss.post(list_url(MODELS[name]), form)
    assert not leaked(cast, answer)
    with as_support():
        assert MODELS[name]._default_manager.count() == count


FIELDS = [
    (m, f) for m in ("conversation", "memory", "story", "entity") for f in ("user", "title", "payload", "conversation")
]


@pytest.mark.parametrize(("model", "field"), FIELDS)
def test_autocomplete(cast, model, field):
    app = "memories" if model in ("conversation", "memory") else "stories"
    place = {"app_label": app, "model_name": model, "field_name": field, "term": KNOWN}
    answer = cast.boss.get(cast.url("autocomplete"), place)
    assert answer.status_code in (200, 403)
    assert not leaked(cast, answer)


@pytest.mark.parametrize("name", MODELS)
def test_names_of_rows(cast, name):
    """What __str__ and repr say goes into messages, logs and the admin's own log."""
    model = MODELS[name]
    with as_user(cast.ada):
        rows = [f"{row} {row!r}" for row in model._default_manager.all()[:3]] if model is not User else [str(cast.ada)]
    assert rows
    assert not any(SECRET in text.lower() for text in rows)


def test_the_admin_s_own_log_stays_empty(cast):
    with as_support():
        assert not LogEntry.objects.exists()


# Straight at the database, as the role that requests of staff have


STATEMENTS = (
    "SELECT {column} FROM {table}",
    "SELECT count(*) FROM {table} WHERE {column} IS NOT NULL",
    "SELECT id FROM {table} ORDER BY {column}",
    "SELECT md5({column}::text) FROM {table}",
    "SELECT {table}::text FROM {table}",
    "SELECT to_jsonb({table}) FROM {table}",
    "UPDATE {table} SET updated_at = now() RETURNING {column}",
    "COPY {table} ({column}) TO STDOUT",
    "CREATE VIEW peep AS SELECT {column} FROM {table}",
)


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.split(".")[1] in ("title", "payload", "text", "wrapped")]
)
def test_statements_as_support(cast, name, statement):
    model, column = BY_NAME[name]
    refused(statement.format(table=model._meta.db_table, column=column))


@pytest.mark.parametrize("name", NAMES)
def test_each_unreadable_column_as_support(cast, name):
    model, column = BY_NAME[name]
    refused(f"SELECT {column} FROM {model._meta.db_table} LIMIT 1")
    with as_support(), connection.cursor() as cursor:  # the control: the role is not refused everything
        cursor.execute(f"SELECT id FROM {model._meta.db_table} LIMIT 1")


ESCAPES = (
    "ALTER TABLE conversations DISABLE ROW LEVEL SECURITY",
    "GRANT SELECT ON conversations TO vibe_support",
    "DROP TRIGGER access_grants_forward ON access_grants",
    "DELETE FROM access_grants",
    "TRUNCATE access_grants",
    "INSERT INTO conversations (id) VALUES (gen_random_uuid())",
    "SELECT wrapped FROM user_keys",
    "SELECT password FROM users",
    "SELECT * FROM pg_authid",
    "SELECT most_common_vals FROM pg_statistic",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_read_file('/etc/passwd')",
)


@pytest.mark.parametrize("statement", ESCAPES)
def test_escapes_as_support(cast, statement):
    refused(statement)


def refused(statement: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), as_support(), connection.cursor() as cursor:
        cursor.execute(statement)


# Content pages without a right to them


@pytest.mark.parametrize("who", ["boss", "other", "nobody"])
@pytest.mark.parametrize("method", ["get", "head", "post", "put", "patch", "delete", "options", "trace"])
@pytest.mark.parametrize("part", ["person_content", "conversation_content"])
def test_content_without_a_grant(cast, part, method, who):
    client = Client() if who == "nobody" else getattr(cast, who)
    url = cast.url(part, cast.ada, *([cast.conversation] if part == "conversation_content" else []))
    answer = getattr(client, method)(url)
    assert answer.status_code in (302, 403, 405)
    assert not leaked(cast, answer)


@pytest.mark.parametrize("standing", ["waiting", "refused", "withdrawn", "ended", "foreign"])
def test_content_under_a_grant_that_is_none(cast, standing):
    with transaction.atomic():
        approve = {"waiting": None, "withdrawn": None, "refused": False}.get(standing, True)
        grant = give(cast.staff, "boss", cast.jonas if standing == "foreign" else cast.ada, approve=approve)
        if standing in ("withdrawn", "ended"):
            grants.end(grant_id=grant, actor=Actor.staff(cast.staff["boss"].pk, Origin()))
        answer = cast.boss.get(cast.url("conversation_content", cast.ada, cast.conversation))
        assert answer.status_code == 403
        assert not leaked(cast, answer)
        transaction.set_rollback(True)


def test_another_person_s_conversation_under_one_s_own_grant(cast):
    """A grant for Jonas does not open Ada's conversation by naming Jonas in the address."""
    answer = cast.other.get(cast.url("conversation_content", cast.jonas, cast.conversation))
    assert answer.status_code == 404
    assert not leaked(cast, answer)


@pytest.mark.parametrize("name", ["approve", "refuse", "end"])
def test_forms_sent_again(cast, name):
    """A form that was good once does nothing to a grant that is over."""
    with transaction.atomic():
        grant = give(cast.staff, "boss", cast.ada)
        grants.end(grant_id=grant, actor=Actor.staff(cast.staff["boss"].pk, Origin()))
        approver = signed_in(cast.staff["approver"])
        answer = approver.post(cast.url("accounts_accessgrant_do", grant, name))
        assert answer.status_code == 409
        assert cast.boss.get(cast.url("person_content", cast.ada)).status_code == 403
        transaction.set_rollback(True)


# Errors while content is in hand


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("place", ["reading", "drawing"])
def test_an_error_page_says_nothing(cast, monkeypatch, debug, place):
    blow_up(monkeypatch, place)
    with override_settings(DEBUG=debug):
        answer = cast.reader.get(cast.url("conversation_content", cast.ada, cast.conversation))
    assert answer.status_code == 500
    assert b"could not be shown" in answer.content
    assert not leaked(cast, answer)


def test_without_the_guard_the_error_page_would_say_it(cast, monkeypatch):
    """The control: the same error, let through, is a page of local variables."""
    blow_up(monkeypatch, "drawing")
    monkeypatch.setattr("vibe.staff.content_pages.NotShown", lambda _text: RuntimeError(SAID))
    with override_settings(DEBUG=True):
        answer = cast.reader.get(cast.url("conversation_content", cast.ada, cast.conversation))
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


def test_an_admin_that_asks_for_everything_is_refused(cast, monkeypatch):
    """The control of every page: with the deferring off it is an error, and still no leak."""
    for model in (Conversation, Memory, Story, Entity):
        monkeypatch.setattr(type(admin.site._registry[model]), "get_queryset", admin.ModelAdmin.get_queryset)
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), as_support():
            list(models.QuerySet(model))
