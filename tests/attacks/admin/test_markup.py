"""Markup: what people, staff and callers wrote is shown as text, and no tag of the admin's own is shown as text."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html import escape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts.api_keys.services import make_api_key
from accounts.erasure.services import request_erasure
from accounts.export.services import request_export
from accounts.keys.services.data_keys import open_vault
from accounts.models import User
from accounts.models.webhooks import EXPORT_READY
from accounts.people.services.people import Profile
from accounts.webhooks.outbox import tell
from accounts.webhooks.services.endpoints import make_webhook
from audit.models import AuditCheckpoint, AuditLeaf, AuditPruning
from memories.admin import linked
from memories.imports.lines import ConversationLine, Message
from memories.imports.services.conversations import import_conversations
from memories.imports.services.uploaded import Options, begin_import
from memories.models import Conversation, Memory
from memories.payload import Payload
from stories.admin import StoryAdmin
from stories.facts.statements import Statement
from stories.facts.storing import insert_statements
from stories.models import NextVector, PendingMemory, Story, TokenUse
from tests.attacks.admin.stage import give
from tests.building import build_conversation
from tests.cast import DAY, TESTER
from vibe.core.admin.base import MetadataAdmin
from vibe.core.admin.links import list_url, page_url
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_staff, as_support, as_system, as_user
from vibe.staff import content

MARKUP = '"><b>x</b><script>'
TAG = re.compile(r"</?[a-z][^<>]*>|&[a-z]+;|&#\w+;")
# By which somebody is signed in, or a button is offered; and what the database holds to a few words.
KEPT = frozenset({"password", "digest", "state", "status", "role"})
ADMINS = {
    f"{model._meta.label_lower}": its for model, its in admin.site._registry.items() if isinstance(its, MetadataAdmin)
}


class Text(HTMLParser):
    """The text of a page: no scripts, no styles, one unescaping."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.hidden = tag if tag in ("script", "style") else self.hidden

    def handle_endtag(self, tag: str) -> None:
        self.hidden = "" if tag == self.hidden else self.hidden

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def faults(page: str) -> list[str]:
    """Tags that a reader sees as text, and values whose markup a browser would take for its own."""
    text = "".join(Text(page).parts).replace(MARKUP[1:], "")  # in JSON its quotation mark has a backslash
    tags = TAG.findall(text)
    return [*tags, *(["a value's markup"] if "<b>x</b>" in page else [])]


def marked(field: models.Field[Any, Any], value: Any) -> Any:
    """What a column holds, with markup in its place where it holds text."""
    if field.primary_key or field.name in KEPT:
        return value
    if isinstance(field, ArrayField) and isinstance(field.base_field, models.CharField):
        return [MARKUP, MARKUP]
    if isinstance(field, models.JSONField):
        return {MARKUP: MARKUP}
    return MARKUP if isinstance(field, models.CharField | models.TextField) else value


@pytest.fixture
def everything_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the database would let in: each text of each row reads as markup, and each title of a person's."""
    load = models.Model.__dict__["from_db"].__func__

    def from_db(cls: Any, db: Any, names: Any, values: Any) -> Any:
        row = load(cls, db, names, values)
        if cls in admin.site._registry:
            for field in cls._meta.concrete_fields:
                if field.attname in row.__dict__:
                    row.__dict__[field.attname] = marked(field, row.__dict__[field.attname])
        return row

    monkeypatch.setattr(models.Model, "from_db", classmethod(from_db))
    told = content.told
    texts = dict.fromkeys(content.STORY, MARKUP)
    monkeypatch.setattr(content, "told", lambda row, vault: content.OpenedStory(told(row, vault).id, **texts))


def fill(cast: Any) -> Any:
    """Make a row in each table, and markup in what pages look up by column."""
    line = ConversationLine(1, Profile("-"), MARKUP, MARKUP, MARKUP, DAY, (Message("m", Payload(MARKUP, MARKUP), DAY),))
    import_conversations(user_id=cast.ada, lines=[line], actor=TESTER)
    with as_user(cast.ada):
        conversation = Conversation.objects.of(cast.ada).get(external_id=MARKUP).pk
    build_conversation(cast.ada, conversation)
    with as_user(cast.ada):
        story = Story.objects.of(cast.ada).get(conversation_id=conversation).pk
        owned, day = {"user_id": cast.ada}, date(2026, 1, 1)
        memory = Memory.objects.of(cast.ada).filter(conversation_id=conversation).values_list("pk", flat=True)[0]
        PendingMemory.objects.create(memory_id=memory, **owned)
        NextVector.objects.create(story_id=story, part=-1, revision=1, embedder="e", **owned)
        insert_statements(cast.ada, open_vault(), [(memory, Statement("", "likes", MARKUP))])
        TokenUse.objects.create(day=day, tokens=1, **owned)
    with as_system():
        signed = {"at": DAY, "key_id": b"x", "signature": b"x"}
        AuditPruning.objects.create(month=day, count=1, digest=b"x", **signed)
        AuditCheckpoint.objects.create(number=1, first=1, count=1, root=b"x", previous=b"x", row_format=1, **signed)
        AuditLeaf.objects.create(position=1, row_id=uuid7(), row_at=DAY, leaf=b"x")
    request_export(user_id=cast.ada, actor=TESTER)
    begin_import(user_id=cast.ada, form="jsonl", options=Options(), dry_run=False, actor=TESTER)
    request_erasure(user_id=cast.jonas, actor=TESTER)
    key, _ = make_api_key(name=MARKUP, scopes=["read"], lasts=timedelta(days=1), actor=TESTER)
    make_webhook(api_key=key, url="https://app.example/", events=[EXPORT_READY], actor=TESTER)
    tell(event=EXPORT_READY, user_id=cast.ada, resource=uuid7())
    Permission.objects.filter(group__name="support").update(name=MARKUP)
    with as_staff():
        for name in ("boss", "reader"):
            User.objects.filter(pk=cast.staff[name].pk).update(email=f"{MARKUP}{name}")
    give(cast.staff, "boss", cast.ada)
    return cast


@pytest.fixture(scope="module")
def written(cast: Any) -> Any:
    return fill(cast)


def rows_of(its: MetadataAdmin) -> list[Any]:
    """The ids of some rows, the newest and the oldest."""
    with as_support():
        ids = list(its.model._default_manager.order_by("pk").values_list("pk", flat=True))
    return list(dict.fromkeys([*ids[:2], *ids[-2:]]))


def pages_of(its: MetadataAdmin) -> list[str]:
    """The lists of a table, with what somebody typed, and the pages of some rows with what can be done there."""
    model = its.model
    ids = rows_of(its)
    pages = [list_url(model), list_url(model, q=MARKUP), list_url(model, o=MARKUP, p=MARKUP)]
    pages += [list_url(model, **{name: ids[0]}) for name in its.narrowed_by]
    for pk in ids:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_do"
        pages += [page_url(model, pk), *(reverse(name, args=[pk, deed.name]) for deed in its.deeds)]
    return pages


def shown(client: Client, url: str) -> str:
    """A page; nothing where the page was refused."""
    answer = client.get(url, follow=True)
    assert answer.status_code in (200, 403, 404, 409), (url, answer.status_code)
    return answer.content.decode()


@pytest.mark.parametrize("table", sorted(ADMINS))
def test_every_page_of_a_table_shows_values_as_text_and_tags_as_tags(written, everything_marked, table):
    its = ADMINS[table]
    assert rows_of(its), "there is a row to look at"
    pages = {url: shown(written.boss, url) for url in pages_of(its)}
    assert {url: found for url, page in pages.items() if (found := faults(page))} == {}
    texts = [name for name in its.fields if name not in KEPT and is_text(its.model, name)]
    assert not texts or any(escape(MARKUP) in page for page in pages.values()), "the markup is where a fault would show"


def is_text(model: type[models.Model], name: str) -> bool:
    field = next((field for field in model._meta.concrete_fields if field.name == name), None)
    return isinstance(field, models.CharField | models.TextField) and not field.primary_key


def test_pages_of_no_table_do_the_same(written, everything_marked):
    ada = written.ada
    pages = {
        *(reverse(f"admin:{name}") for name in ("index", "database_health", "password_change")),
        *(
            reverse(f"admin:{name}", args=[ada])
            for name in ("person_content", "person_facts", "accounts_accessgrant_ask")
        ),
        *(f"{reverse('admin:search')}?q={quote(MARKUP)}", f"{reverse('admin:login')}?next={quote(MARKUP)}"),
    }
    with as_user(ada):
        pages |= {reverse("admin:conversation_content", args=[ada, row.pk]) for row in Conversation.objects.of(ada)}
    found = {url: shown(written.boss, url) for url in pages}
    assert {url: wrong for url, page in found.items() if (wrong := faults(page))} == {}
    read = [page for url, page in found.items() if "/content/" in url]
    assert len(read) == 4
    assert all(escape(MARKUP) in page for page in read)


@pytest.mark.parametrize("many", [0, 1, 20, 21])
def test_a_story_leads_to_its_memories(many):
    """However many: a fault showed with up to 20."""
    ids = [uuid7() for _ in range(many)]
    drawn = StoryAdmin(Story, admin.site).from_memories(Story(memory_ids=ids))
    assert (drawn.count("<a "), hasattr(drawn, "__html__")) == (min(many, 20), True)
    assert drawn.endswith(" and 1 more") == (many == 21)


# Controls


def test_control_links_joined_as_plain_text_are_seen(written, monkeypatch):
    def joined(_: StoryAdmin, row: Story) -> str:
        return format_html_join(", ", "{}", ((link,) for link in linked(Memory, row.memory_ids))) + ""

    monkeypatch.setattr(StoryAdmin, "from_memories", admin.display(description="From memories")(joined))
    pages = [shown(written.boss, page_url(Story, pk)) for pk in rows_of(ADMINS["stories.story"])]
    assert any("<a href" in "".join(faults(page)) for page in pages)


def test_control_a_value_that_is_taken_for_markup_is_seen(written, everything_marked, monkeypatch):
    monkeypatch.setattr(ADMINS["memories.memory"].__class__, "messages", lambda _, row: SafeString(row.message_ids[0]))
    assert "a value's markup" in faults(shown(written.boss, list_url(Memory)))


def test_control_markup_escaped_twice_is_seen(written, everything_marked, monkeypatch):
    monkeypatch.setattr(ADMINS["memories.memory"].__class__, "messages", lambda _, row: escape(row.message_ids[0]) + "")
    assert "&lt;" in faults(shown(written.boss, list_url(Memory)))
