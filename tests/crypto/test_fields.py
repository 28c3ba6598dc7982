"""A sealed column takes and gives sealed values, by every way that Django has; what cannot work says so."""

from __future__ import annotations

import json

import pytest
from django.core import serializers
from django.core.exceptions import FieldError, ValidationError
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Case, Count, F, Q, Value, When
from django.db.models.functions import Concat, Length, Upper
from django.forms import modelform_factory
from django.forms.models import model_to_dict

from accounts.keys.services.data_keys import open_vault
from accounts.models import User, UserKey
from accounts.people.services.people import open_name
from memories.models import Conversation, Memory
from tests.crypto.test_vault import silent
from vibe.core.crypto.errors import FormatUnknown, MasterKeyMissing, SealBroken
from vibe.core.crypto.fields import SealedField, WrappedField, address_of
from vibe.core.crypto.seal import Sealed
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_system, as_user

CANARY = "the canary sings in Lisbon"


@pytest.fixture
def memory(ada, tell):
    tell(ada, "first", [("Ada", CANARY), ("Ada", "And a second one.")])
    with as_user(ada):
        yield Memory.objects.earliest("occurred_at")


@pytest.fixture
def conversation(memory):
    return memory.conversation


def sealed(row, column, text=CANARY):
    return open_vault().seal(text, address_of(row, column))


def opened(row, column):
    return open_vault().open(getattr(row, column), address_of(row, column))


@pytest.mark.parametrize("read", [
    lambda rows: [row.payload for row in rows],
    lambda rows: [row.payload for row in rows.only("payload")],
    lambda rows: [row.payload for row in rows.defer("payload")],
    lambda rows: list(rows.values_list("payload", flat=True)),
    lambda rows: [row["payload"] for row in rows.values("payload")],
    lambda rows: [row.again for row in rows.annotate(again=F("payload"))],
    lambda rows: [row.payload for row in rows.union(rows)],
    lambda rows: [row.payload for row in rows.iterator(chunk_size=1)],
    lambda rows: [row.payload for row in rows.raw("SELECT * FROM encrypted_memories")],
    lambda rows: [model_to_dict(row)["payload"] for row in rows],
])  # fmt: skip
def test_whatever_is_read_is_sealed(memory, read):
    found = read(Memory.objects.of(memory.user_id))
    assert len(found) == 2
    assert all(type(each) is Sealed for each in found)
    assert memory.payload in found


def test_a_view_of_memory_from_the_driver_is_sealed_too():
    stored = SealedField().from_db_value(memoryview(b"stored"), None, connection)
    assert stored == Sealed(b"stored")
    assert type(stored.ciphertext) is bytes


def test_nothing_is_null_and_null_is_nothing(conversation):
    assert conversation.description is None
    assert Conversation.objects.filter(description=None).count() == 1
    assert Conversation.objects.filter(description__isnull=True, title__isnull=False).count() == 1
    assert Conversation.objects.filter(Q(description=None) & ~Q(title=None)).count() == 1
    assert Conversation.objects.exclude(title=None).count() == 1
    conversation.title = None
    conversation.save(update_fields=["title"])
    assert Conversation.objects.filter(title=None).count() == 1


def test_saving_creating_and_updating_take_sealed_values(conversation):
    conversation.title = sealed(conversation, "title", "By save")
    conversation.save()
    assert opened(Conversation.objects.get(), "title") == "By save"
    Conversation.objects.update(title=sealed(conversation, "title", "By update"))
    assert opened(Conversation.objects.get(), "title") == "By update"
    conversation.title = sealed(conversation, "title", "By bulk_update")
    conversation.description = None
    assert Conversation.objects.bulk_update([conversation], ["title", "description"]) == 1
    assert opened(Conversation.objects.get(), "title") == "By bulk_update"


def test_creating_many_takes_sealed_values(memory):
    rows = [Memory(user_id=memory.user_id, conversation_id=memory.conversation_id, message_ids=["x"],
                   occurred_at=memory.occurred_at) for _ in range(3)]  # fmt: skip
    for number, row in enumerate(rows):
        row.payload = sealed(row, "payload", f"By bulk_create {number}")
    Memory.objects.bulk_create(rows)
    back = Memory.objects.in_bulk([row.pk for row in rows])
    assert [opened(back[row.pk], "payload") for row in rows] == [f"By bulk_create {number}" for number in range(3)]


@pytest.mark.parametrize("plain", [CANARY, CANARY.encode(), memoryview(CANARY.encode()), 7, [CANARY]])
@pytest.mark.parametrize("write", [
    lambda row: row.save(),
    lambda row: row.save(update_fields=["title"]),
    lambda row: Conversation.objects.filter(pk=row.pk).update(title=row.title),
    lambda row: Conversation.objects.bulk_update([row], ["title"]),
    lambda row: Conversation.objects.bulk_create([Conversation(id=uuid7(), user_id=row.user_id, title=row.title,
                                                               started_at=row.started_at, active_at=row.active_at)]),
])  # fmt: skip
def test_a_plaintext_is_not_written(conversation, plain, write):
    conversation.title = plain
    with pytest.raises((SealBroken, FieldError), match=r"conversations\.title.*takes a sealed value only") as caught:
        write(conversation)
    assert silent(caught.value, CANARY)


def test_the_row_whose_plaintext_was_refused_is_named(conversation):
    conversation.title = CANARY
    with pytest.raises(SealBroken, match=f"of row {conversation.pk}"):
        conversation.save()


@pytest.mark.parametrize("expression", [
    Value(CANARY),
    Value(CANARY.encode()),
    Value(CANARY.encode(), output_field=models.BinaryField()),
    F("description"),
    F("external_id"),
    Concat(Value("a"), Value("b")),
    Case(When(is_archived=True, then=Value(Sealed(b"x"), output_field=SealedField())), default=Value(CANARY)),
    Case(When(is_archived=True, then=F("external_id")), default=Value(None)),
], ids=str)  # fmt: skip
def test_no_expression_is_written(conversation, expression):
    with pytest.raises(FieldError, match=r"conversations\.title is sealed"):
        Conversation.objects.update(title=expression)
    conversation.title = expression
    with pytest.raises(FieldError, match=r"conversations\.title is sealed") as caught, transaction.atomic():
        conversation.save()
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("expression", [Value(CANARY), Concat(Value("a"), Value("b"))], ids=str)
def test_no_expression_is_inserted(conversation, expression):
    conversation.title = expression
    with pytest.raises(FieldError, match=r"conversations\.title is sealed"):
        conversation.save(force_insert=True)


@pytest.mark.parametrize("condition", [
    {"title": CANARY},
    {"title": Sealed(b"x")},
    {"title__exact": CANARY.encode()},
    {"title__in": [CANARY]},
    {"title__contains": "Lisbon"},
    {"title__gt": b"x"},
    {"title__regex": "."},
    {"title": F("description")},
], ids=str)  # fmt: skip
def test_nothing_is_found_by_value(conversation, condition):
    for search in (Conversation.objects.filter, Conversation.objects.exclude, Conversation.objects.get):
        with pytest.raises(FieldError, match=r"conversations\.title is sealed.*blind index") as caught:
            list(search(**condition))
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize("look", ["title__length__gt", "title__upper", "title__year"])
def test_nothing_is_computed_in_the_database(conversation, look):
    with pytest.raises(FieldError, match=r"conversations\.title is sealed"):
        list(Conversation.objects.filter(**{look: 3}))


def test_counting_and_measuring_do_not_open(conversation):
    assert Conversation.objects.aggregate(count=Count("title")) == {"count": 1}
    assert Conversation.objects.annotate(size=Length("title")).get().size == len(conversation.title.ciphertext)
    with pytest.raises(DatabaseError, match="upper"), transaction.atomic():
        list(Conversation.objects.annotate(loud=Upper("title")))


def test_it_is_not_serialised(conversation):
    for form in ("json", "python", "xml", "jsonl"):
        with pytest.raises(FieldError, match=r"conversations\.title is sealed: it is not serialised"):
            serializers.serialize(form, [conversation])
    assert CANARY not in serializers.serialize("json", [conversation], fields=["is_archived"])


def test_a_fixture_with_a_plaintext_is_refused(conversation):
    fixture = [{"model": "memories.conversation", "pk": str(conversation.pk),
                "fields": {"user": str(conversation.user_id), "title": CANARY,
                           "started_at": "2026-05-12T00:00:00Z", "active_at": "2026-05-12T00:00:00Z"}}]  # fmt: skip
    (row,) = serializers.deserialize("json", json.dumps(fixture))
    with pytest.raises(SealBroken, match=r"conversations\.title"):
        row.save()


def test_full_clean_opens_nothing_and_refuses_a_plaintext(conversation):
    conversation.full_clean(validate_unique=False, validate_constraints=False)
    conversation.title = CANARY
    with pytest.raises(ValidationError, match="title is sealed") as caught:
        conversation.full_clean(validate_unique=False, validate_constraints=False)
    assert CANARY not in str(caught.value)
    memory = Memory.objects.earliest("occurred_at")
    memory.payload = None
    with pytest.raises(ValidationError, match="payload is sealed"):
        memory.full_clean(validate_unique=False, validate_constraints=False)


@pytest.mark.parametrize("model", [Conversation, Memory, User, UserKey])
def test_no_form_has_it(model):
    form = modelform_factory(model, fields=[field.name for field in model._meta.fields if field.editable])
    sealed_names = {field.name for field in model._meta.fields if isinstance(field, SealedField | WrappedField)}
    assert sealed_names
    assert not sealed_names & form.base_fields.keys()


def test_a_plaintext_that_somebody_put_into_the_table_is_named_and_not_shown(memory):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE encrypted_memories SET payload = %s WHERE id = %s", [CANARY.encode(), memory.pk])
    memory.refresh_from_db()
    with pytest.raises(FormatUnknown, match=f"encrypted_memories.payload of row {memory.pk}") as caught:
        opened(memory, "payload")
    assert silent(caught.value, CANARY)


def test_a_row_of_nobody_has_no_address():
    for row in (Memory(), Memory(user_id="ada"), User(pk=None), User(pk=7)):
        with pytest.raises(SealBroken, match="has no owner"):
            address_of(row, "payload")


def test_the_encrypted_model_fields_column_fails_closed(ada, settings):
    """What that package does as it comes: the ciphertext as the text, a plaintext as the text, opened on assignment."""
    with as_user(ada):
        user = User.objects.only("pk", "name").get()
        assert type(user.name) is Sealed
        assert User(name=user.name).name is user.name
        assert open_name(user) == "Ada Tavares"
        user.name = CANARY
        with pytest.raises(SealBroken, match=f"users.name of row {ada}"), transaction.atomic():
            user.save(update_fields=["name"])
        settings.ENCRYPTION_KEY = "8f3c1de0b5a94276f1e2d3c4b5a69788796a5b4c3d2e1f00ffeeddcb1a2b3c4d"
        user.refresh_from_db(fields=["name"])
        with pytest.raises(MasterKeyMissing, match=f"users.name of row {ada}"):
            open_name(user)
    with as_system():
        User.objects.update(name=Sealed(CANARY.encode()))
    with as_user(ada), pytest.raises(FormatUnknown, match=f"users.name of row {ada}") as caught:
        open_name(User.objects.only("pk", "name").get())
    assert silent(caught.value, CANARY)
