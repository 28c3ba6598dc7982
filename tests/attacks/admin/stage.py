"""What the attacks on the admin share: who and what is there, and how content that came out is recognised.

Every sealed column of Ada's holds two canaries. An attack may know the first, so that an answer which depends on it
is an oracle; the second must never come out. All attacks of one file share a transaction, undone at the end.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from accounts.grants import services as grants
from accounts.models import AccessGrant, User, UserPreferences
from accounts.people.services.people import Profile, ensure_person
from accounts.staff.groups import ensure_groups
from audit.actors import Actor, Origin
from memories.imports.lines import ConversationLine, Message
from memories.imports.services.conversations import import_conversations
from memories.models import Conversation, Memory
from memories.payload import Payload
from stories.models import Entity, Passage, Story
from tests.building import build_conversation
from tests.cast import DAY, TESTER
from tests.sessions import force_sign_in
from vibe.core.admin.readable_columns import readable_fields
from vibe.core.crypto.fields import SealedColumn
from vibe.core.db.scopes import as_staff, as_support, as_user

KNOWN, SECRET = "xylocanary", "zorbafrond"
SAID = f"{KNOWN.capitalize()} and {SECRET.capitalize()} met me in Lisbon in May 2025, and we saw {SECRET}."
PEOPLE_S = (User, Conversation, Memory, Story, Passage, Entity, UserPreferences, AccessGrant)
MODELS = {model.__name__: model for model in PEOPLE_S}
UNREADABLE = {
    f"{model.__name__}.{field.column}": (model, field.column)
    for model in PEOPLE_S
    for field in model._meta.concrete_fields
    if field.name not in readable_fields(model)
}


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
    build_conversation(ada, conversation)
    ensure_groups()
    staff = {
        name: User.objects.create_user(f"{name}@x.org", "p") for name in ("reader", "other", "approver", "auditor")
    }
    staff["engineer"] = User.objects.create_user("engineer@x.org", "p")
    staff["boss"] = User.objects.create_superuser("boss@x.org", "p")
    with as_staff():
        for name, user in staff.items():
            role = "support" if name in ("reader", "other", "boss") else name
            user.groups.set(Group.objects.filter(name=role))
    give(staff, "reader", ada)
    give(staff, "other", jonas)
    clients = {name: signed_in(staff[name]) for name in ("boss", "reader", "other")}
    with as_user(ada):
        sealed = [
            bytes(value.ciphertext)
            for model, column in UNREADABLE.values()
            if isinstance(model._meta.get_field(column), SealedColumn) and model is not User
            for value in model._default_manager.values_list(column, flat=True)
            if value is not None
        ]
        tokens = list(Entity.objects.values_list("token", flat=True))
    assert len(sealed) >= 10
    assert tokens
    return Cast(ada, jonas, conversation, **clients, staff=staff, sealed=sealed, tokens=tokens)


def give(staff: dict[str, User], name: str, person: UUID, *, approve: bool | None = True) -> UUID:
    """A request, and its approval or refusal."""
    actor, decider = Actor.staff(staff[name].pk, Origin()), Actor.staff(staff["approver"].pk, Origin())
    grant = grants.request_access(user_id=person, actor=actor, reason="r", ticket="t", duration=timedelta(hours=1))
    if approve is not None:
        grants.decide_request(grant_id=grant, actor=decider, approve=approve)
    return grant


def signed_in(user: User, **how: Any) -> Client:
    client = Client(raise_request_exception=False, **how)
    return force_sign_in(client, user)


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


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside never happened."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def readable(*tables: str) -> Iterator[None]:
    """The wall in the database taken away: support may read these tables whole. For negative controls."""
    with undone():
        with connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"GRANT SELECT ON {table} TO vibe_support")
        yield


def refused(statement: str) -> None:
    """The database does not do this for support."""
    with pytest.raises(DatabaseError), transaction.atomic(), as_support(), connection.cursor() as cursor:
        cursor.execute(statement)


def first_id(name: str) -> Any:
    """The id of some row."""
    with as_support():
        return MODELS[name]._default_manager.values_list("pk", flat=True).first()
