"""Attack: a whole row put back as it was, its revision with it, so that every seal in it holds.

The seal cannot see it. The trail can: it names each row that was sealed anew, with its revision, and is proved.
"""

from __future__ import annotations

import json
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.keys.services.data_keys import open_vault
from audit.errors import RowPutBack
from audit.proof.freshness import require_fresh, revisioned_tables
from audit.services import record
from memories.models import Conversation, Memory
from memories.payload import Payload, open_memories
from stories.models import Story
from tests.attacks.corpus import tries
from tests.building import build_conversation
from tests.cast import TESTER
from tests.protections import unprotected
from vibe.core.db.errors import Unrecorded
from vibe.core.db.scopes import as_support, as_user
from vibe.core.db.statements import revisions

REPLAYS = tries(40, 1_000)


def run(statement, values=()):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def seal_anew(user_id, text="something else", *, recorded=True, rows=None):
    """What a verb that changes memories does."""
    with as_user(user_id):
        rows = list(rows if rows is not None else Memory.objects.of(user_id))
        sealed = open_vault().seal_all("encrypted_memories", "payload", ((r.pk, r.revision + 1, text) for r in rows))
        for row, payload in zip(rows, sealed, strict=True):
            row.revision += 1
            row.payload = payload
        Memory.objects.of(user_id).bulk_update(rows, ["revision", "payload"])
        if recorded:
            record(actor=TESTER, action="memories.change", subject=user_id, resource="encrypted_memories")


@pytest.fixture
def changed(ada, tell):
    """Ada's memories, each changed once, and an owner of the database who kept every row as it was before."""
    tell(ada, "first", [("Ada", f"I said {number}.") for number in range(REPLAYS)])
    with unprotected(*revisioned_tables()):
        run("CREATE TEMPORARY TABLE kept AS SELECT * FROM encrypted_memories")
        seal_anew(ada)
        require_fresh()
        yield [row_id for (row_id,) in run("SELECT id FROM kept ORDER BY id")]


def put_back(row_id):
    """The whole row, as it was."""
    columns = ", ".join(f'"{field.column}"' for field in Memory._meta.local_fields)
    old = f"SELECT {columns} FROM kept WHERE id = %s"
    run(f"UPDATE encrypted_memories SET ({columns}) = ({old}) WHERE id = %s", [row_id, row_id])


def found(row_id):
    """Whether the comparison names this row."""
    try:
        require_fresh()
    except RowPutBack as problem:
        return problem.row_id == row_id
    return False


def test_every_row_put_back_whole_is_found_and_named(ada, changed, record_property):
    held = 0
    for row_id in changed:
        with transaction.atomic():
            put_back(row_id)
            with as_user(ada):
                row = Memory.objects.of(ada).get(pk=row_id)
                assert open_memories([row], open_vault())[0].payload.text.startswith("I said")  # the seal holds
            held += found(row_id)
            transaction.set_rollback(True)
        connection.needs_rollback = False
    assert held == REPLAYS
    require_fresh()
    record_property("figure", f"{REPLAYS:,} whole rows put back, {held:,} named")


def test_without_the_trail_naming_rows_they_would_not_be_found(ada, tell, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(revisions, "note_sealed", lambda *_: None)
    monkeypatch.setattr("accounts.keys.services.data_keys.revisions.note_sealed", lambda *_: None)
    tell(ada, "first", [("Ada", "I said it.")])
    with unprotected("encrypted_memories"):
        run("CREATE TEMPORARY TABLE kept AS SELECT * FROM encrypted_memories")
        seal_anew(ada)
        ((row_id,),) = run("SELECT id FROM kept")
        put_back(row_id)
    assert not found(row_id)


def test_a_story_put_back_is_found(ada, tell):
    tell(ada, "first", [("Ada", "I moved to Lisbon.")])
    with as_user(ada):
        conversation = Conversation.objects.of(ada).get().pk
    build_conversation(ada, conversation)
    seal_anew(ada, Payload("Ada", "I moved to Porto.").encode())
    with unprotected("stories"):
        run("CREATE TEMPORARY TABLE kept AS SELECT * FROM stories")
        run("UPDATE stories SET due_at = now()")
        assert build_conversation(ada, conversation)
        require_fresh()
        columns = ", ".join(f'"{field.column}"' for field in Story._meta.local_fields)
        run(f"UPDATE stories SET ({columns}) = (SELECT {columns} FROM kept)")
    with pytest.raises(RowPutBack, match=r"stories/.* revision 2, and the trail knows revision 3"):
        require_fresh()


def test_a_deleted_row_put_back_is_found(ada, tell):
    tell(ada, "first", [("Ada", "I said it.")])
    with unprotected("encrypted_memories"):
        run("CREATE TEMPORARY TABLE kept AS SELECT * FROM encrypted_memories")
        with as_user(ada):
            memory = Memory.objects.of(ada).get()
            memory.delete()
            record(actor=TESTER, action="memory.delete", subject=ada, resource=f"memories/{memory.pk}")
        require_fresh()
        run("INSERT INTO encrypted_memories SELECT * FROM kept")
    with pytest.raises(RowPutBack, match="its deletion"):
        require_fresh()


def test_a_change_that_is_not_recorded_does_not_commit(ada, tell):
    """Nobody can forget it."""
    tell(ada, "first", [("Ada", "I said it.")])
    with pytest.raises(Unrecorded, match="encrypted_memories/"):
        seal_anew(ada, recorded=False)
    with as_user(ada):
        assert Memory.objects.of(ada).get().revision == 1


def test_a_row_recorded_before_it_is_stored_is_not_recorded(ada, tell):
    tell(ada, "first", [("Ada", "I said it.")])
    with pytest.raises(Unrecorded), as_user(ada):
        memory = Memory.objects.of(ada).get()
        memory.payload = open_vault().seal("now", _next(memory))
        record(actor=TESTER, action="memories.change", subject=ada)
        memory.save(update_fields=["revision", "payload"])


def test_what_was_sealed_and_undone_is_no_change(ada, tell):
    """Neither an error nor a revision in the trail that no row ever had."""
    tell(ada, "first", [("Ada", "I said it.")])
    with as_user(ada):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            memory = Memory.objects.of(ada).get()
            memory.payload = open_vault().seal("now", _next(memory))
            memory.save(update_fields=["revision", "payload"])
            1 / 0  # noqa: B018
        record(actor=TESTER, action="memories.change", subject=ada)
    require_fresh()
    assert not revisions.unrecorded_rows()


def _next(memory):
    from vibe.core.crypto.fields import address_of

    memory.revision += 1
    return address_of(memory, "payload")


def test_verify_audit_says_so(ada, changed):
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert "No row of a person is older" in out.getvalue()
    put_back(changed[-1])
    with pytest.raises(CommandError, match=f"encrypted_memories/{changed[-1]}"):
        call_command("verify_audit", stdout=out)
    with pytest.raises(SystemExit):
        call_command("verify_audit", json=True, stdout=(said := StringIO()))
    assert json.loads(said.getvalue())["row"] == str(changed[-1])


def test_support_can_compare_every_table_that_counts_revisions(db):
    tables = list(revisioned_tables())
    assert {"conversations", "encrypted_memories", "stories"} <= set(tables)
    with as_support():
        for table in tables:
            run(f"SELECT id, user_id, revision FROM {table} LIMIT 1")


def test_the_trail_names_the_row_and_its_revision(ada, tell):
    from audit.models import AuditLog

    tell(ada, "first", [("Ada", "I said it.")])
    seal_anew(ada)
    seal_anew(ada, "and again")
    with as_support():
        details = (
            AuditLog.objects.filter(action="memories.change").order_by("at", "id").values_list("details", flat=True)
        )
        revised = [each["revisions"]["encrypted_memories"] for each in details]
    assert [list(each.values()) for each in revised] == [[2], [3]]
    assert all(UUID(row_id) for each in revised for row_id in each)
