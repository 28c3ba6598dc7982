"""A thousand tamperings with sealed rows by somebody who owns the tables and has switched the triggers off: all found.

The trail is sealed once, each tampering is done in a savepoint, proved against, and rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection, transaction

from audit.actors import Actor, Origin
from audit.client import ClientAddress
from audit.errors import AuditError
from audit.models import AuditCheckpoint, AuditLeaf, AuditLog
from audit.proof import checkpoint_store
from audit.proof.checkpoint import Checkpoint
from audit.proof.keys import TrailKeys, trail_keys
from audit.proof.merkle import root
from audit.proof.verification import SEALED as SEALED_QUERY
from audit.proof.verification import prove, read_sealed
from audit.sealing import witness
from audit.sealing.services import seal
from audit.services import record
from tests.protections import unprotected
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_system

ROWS, BATCH, EACH = 60, 9, 48
TABLES = ("audit_logs", "audit_leaves", "audit_checkpoints")
THIEF = "7" * 64
SIGNED = [field.name for field in AuditCheckpoint._meta.fields]


def run(statement: str, values: Any = ()) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def sealed(db: None, settings: Any, tmp_path: Any) -> Iterator[list[Any]]:
    """A trail of seven checkpoints, open to its attacker; what is given are the checkpoints kept elsewhere."""
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "checkpoints.jsonl")
    for number in range(ROWS):
        address = ClientAddress(f"198.51.100.{number}", "203.0.113.1", "", "") if number % 3 else None
        actor = Actor.staff(uuid7(), Origin(address, "curl/8.5", f"{number:032x}"))
        record(
            actor=actor,
            action="story.read",
            subject=uuid7(),
            resource=f"stories/{number}",
            reason="ticket 12",
            details={"ids": [number]} if number % 2 else None,
        )
    assert seal(batch=BATCH).rows == ROWS
    with unprotected(*TABLES, triggers="USER"):
        yield witness.read_witnesses(tmp_path / "checkpoints.jsonl")


def is_found(witnesses: list[Any]) -> bool:
    try:
        with transaction.atomic():
            prove(trail_keys(), witnesses)
    except AuditError:
        return True
    return False


def some(table: str, random: Random, key: str) -> Any:
    return random.choice(run(f"SELECT {key} FROM {table} ORDER BY {key}"))[0]


def edit_row(random: Random) -> None:
    """Any column there is."""
    row_id, name = some("audit_logs", random, "id"), random.choice([each.column for each in AuditLog._meta.fields])
    change_column("audit_logs", "id", row_id, name)


def edit_leaf(random: Random) -> None:
    position = some("audit_leaves", random, "position")
    change_column("audit_leaves", "position", position, random.choice([each.column for each in AuditLeaf._meta.fields]))


def edit_checkpoint(random: Random) -> None:
    change_column("audit_checkpoints", "number", some("audit_checkpoints", random, "number"), random.choice(SIGNED))


def change_column(table: str, key: str, value: Any, name: str) -> None:
    kind = run(
        "SELECT data_type FROM information_schema.columns WHERE table_name = %s AND column_name = %s", [table, name]
    )
    changed = {
        "uuid": "gen_random_uuid()",
        "timestamp with time zone": f"{name} + interval '1 microsecond'",
        "character varying": f"left({name} || 'x', 9)" if name in ("actor_kind", "outcome") else f"{name} || 'x'",
        "inet": "'203.0.113.9'",
        "jsonb": "'{\"ids\": [0]}'" if value else "'{}'",
        "bytea": f"set_byte({name}, 0, get_byte({name}, 0) # 1)",
        "bigint": f"{name} + 1000",
        "smallint": f"{name} + 1",
    }[kind[0][0]]
    run(f"UPDATE {table} SET {name} = {changed} WHERE {key} = %s", [value])


def delete_row(random: Random) -> None:
    run("DELETE FROM audit_logs WHERE id = %s", [some("audit_logs", random, "id")])


def delete_row_and_seal(random: Random) -> None:
    row_id = some("audit_logs", random, "id")
    run("DELETE FROM audit_logs WHERE id = %s", [row_id])
    run("DELETE FROM audit_leaves WHERE row_id = %s", [row_id])


def delete_and_close_up(random: Random) -> None:
    position = some("audit_leaves", random, "position")
    run("DELETE FROM audit_logs WHERE id = (SELECT row_id FROM audit_leaves WHERE position = %s)", [position])
    run("DELETE FROM audit_leaves WHERE position = %s", [position])
    run("UPDATE audit_leaves SET position = -position WHERE position > %s", [position])
    run("UPDATE audit_leaves SET position = -position - 1 WHERE position < 0")


def forged_row(random: Random) -> tuple[Any, Any]:
    """A copy of a row under a new id; its code is the old one's."""
    columns = ", ".join(each.column for each in AuditLog._meta.fields if each.column not in ("id", "at"))
    return run(
        f"INSERT INTO audit_logs (id, at, {columns}) SELECT gen_random_uuid(), at, {columns} FROM audit_logs "
        "WHERE id = %s RETURNING id, at",
        [some("audit_logs", random, "id")],
    )[0]


def insert_row(random: Random) -> None:
    forged_row(random)


def insert_row_twice(random: Random) -> None:
    """The same id at another time: the key of the table allows it."""
    columns = ", ".join(each.column for each in AuditLog._meta.fields if each.column != "at")
    run(
        f"INSERT INTO audit_logs ({columns}, at) SELECT {columns}, at + interval '1 s' FROM audit_logs WHERE id = %s",
        [some("audit_logs", random, "id")],
    )


def insert_with_seal(random: Random) -> None:
    row_id, at = forged_row(random)
    position = random.choice([-1, 0, ROWS + 1, ROWS + 7])
    run("INSERT INTO audit_leaves VALUES (%s, %s, %s, %s)", [position, row_id, at, random.randbytes(32)])


def swap_seals(random: Random) -> None:
    one, other = random.sample(range(1, ROWS + 1), 2)
    run("UPDATE audit_leaves SET position = -1 WHERE position = %s", [one])
    run("UPDATE audit_leaves SET position = %s WHERE position = %s", [one, other])
    run("UPDATE audit_leaves SET position = %s WHERE position = -1", [other])


def swap_contents(random: Random) -> None:
    one, other = random.sample(run("SELECT id FROM audit_logs ORDER BY id"), 2)
    run(
        "UPDATE audit_logs a SET resource = b.resource, subject = b.subject, mac = b.mac FROM audit_logs b "
        "WHERE (a.id, b.id) IN ((%s, %s), (%s, %s))",
        [*one, *other, *other, *one],
    )


def reorder(random: Random) -> None:
    turn = random.randrange(1, ROWS)
    run("UPDATE audit_leaves SET position = -position")
    run("UPDATE audit_leaves SET position = 1 + (-position - 1 + %s) %% %s", [turn, ROWS])


def cut_tail(random: Random) -> None:
    """Everything from some checkpoint on, as if it had never been."""
    number = random.randrange(1, len(range(0, ROWS, BATCH)) + 1)
    first = (number - 1) * BATCH + 1
    run("DELETE FROM audit_checkpoints WHERE number >= %s", [number])
    run(
        "WITH gone AS (DELETE FROM audit_leaves WHERE position >= %s RETURNING row_id) "
        "DELETE FROM audit_logs WHERE id IN (SELECT row_id FROM gone)",
        [first],
    )


def unseal_tail(random: Random) -> None:
    """Seals alone: the rows would look as if they were new."""
    number = random.randrange(1, len(range(0, ROWS, BATCH)) + 1)
    run("DELETE FROM audit_checkpoints WHERE number >= %s", [number])
    run("DELETE FROM audit_leaves WHERE position > %s", [(number - 1) * BATCH])


def drop_checkpoint(random: Random) -> None:
    run("DELETE FROM audit_checkpoints WHERE number = %s", [some("audit_checkpoints", random, "number")])


def drop_chain(_: Random) -> None:
    run("DELETE FROM audit_checkpoints")
    run("DELETE FROM audit_leaves")


def add_checkpoint(random: Random) -> None:
    """One more, before the first or after the last."""
    with as_system():
        stored = AuditCheckpoint.objects.get(number=random.randint(1, 7))
    number = random.choice([-5, 0, 8])
    AuditCheckpoint(**{**{name: getattr(stored, name) for name in SIGNED}, "number": number, "first": number * 9}).save(
        force_insert=True
    )


def reseal(random: Random, keys: TrailKeys) -> None:
    """Edit a row, hash everything anew, and sign the chain again from there on."""
    edited = random.randint(1, ROWS)
    row_id = run("SELECT row_id FROM audit_leaves WHERE position = %s", [edited])[0][0]
    run("UPDATE audit_logs SET reason = 'forged' WHERE id = %s", [row_id])
    with as_system():
        chain = [signed for page in checkpoint_store.pages() for signed in page]
        rows = list(read_sealed(f"{SEALED_QUERY} WHERE l.position >= %s ORDER BY l.position", [1]))
    leaves = {row.position: row.found for row in rows}
    head: Checkpoint | None = None
    for signed in chain:
        old = signed.checkpoint
        if old.last < edited:
            head = old
            continue
        span = range(old.first, old.last + 1)
        head = Checkpoint.following(
            head, root=root(leaves[at] for at in span), count=old.count, at=old.at, key_id=keys.signing.id
        )
        run("DELETE FROM audit_checkpoints WHERE number = %s", [old.number])
        checkpoint_store.stored_of(head.sign(keys.signing)).save(force_insert=True)
    run("UPDATE audit_leaves SET leaf = %s WHERE position = %s", [leaves[edited], edited])


def forge_with_another_key(random: Random) -> None:
    reseal(random, TrailKeys.from_hex(THIEF))


def edit_row_and_leaf(random: Random) -> None:
    position = random.randint(1, ROWS)
    sealed_at = "(SELECT row_id FROM audit_leaves WHERE position = %s)"
    run(f"UPDATE audit_logs SET reason = 'x' WHERE id = {sealed_at}", [position])
    with as_system():
        row = next(iter(read_sealed(f"{SEALED_QUERY} WHERE l.position = %s", [position])))
    run("UPDATE audit_leaves SET leaf = %s WHERE position = %s", [row.found, position])


def excuse_as_pruned(random: Random) -> None:
    """Delete a row, and claim that its month was pruned."""
    delete_row(random)
    run(
        "INSERT INTO audit_prunings SELECT date_trunc('month', now() AT TIME ZONE 'UTC'), 1, %s, now(), key_id, "
        "signature FROM audit_checkpoints LIMIT 1",
        [random.randbytes(32)],
    )


ATTACKS: list[Callable[[Random], None]] = [
    *(edit_row, edit_row, edit_leaf, edit_checkpoint, edit_row_and_leaf, delete_row, delete_row_and_seal),
    *(delete_and_close_up, insert_row, insert_row_twice, insert_with_seal, swap_seals, swap_contents, reorder),
    *(cut_tail, unseal_tail, drop_checkpoint, drop_chain, add_checkpoint, forge_with_another_key, excuse_as_pruned),
]


def test_a_thousand_tamperings_are_found(sealed: list[Any]) -> None:
    missed = []
    for seed in range(EACH * len(ATTACKS)):
        attack = ATTACKS[seed % len(ATTACKS)]
        point = transaction.savepoint()
        attack(Random(seed))
        if not is_found(sealed):
            missed.append((attack.__name__, seed))
        transaction.savepoint_rollback(point)
    assert (missed, EACH * len(ATTACKS) >= 1000) == ([], True)
    assert not is_found(sealed), "rolled back, the trail is what it was"


def test_control_an_untouched_trail_is_proved(sealed: list[Any]) -> None:
    proof = prove(trail_keys(), sealed)
    assert (proof.rows, proof.checkpoints, proof.unsealed, proof.pruned) == (ROWS, 7, 0, 0)
    assert proof.head == sealed[-1]


def test_control_only_the_witness_finds_a_forgery_by_the_true_key_and_a_cut_tail(sealed: list[Any]) -> None:
    for attack in (lambda: reseal(Random(1), trail_keys()), lambda: cut_tail(Random(1))):
        point = transaction.savepoint()
        attack()
        assert is_found(sealed)
        assert not is_found([])
        transaction.savepoint_rollback(point)


def test_the_first_bad_row_is_named(sealed: list[Any]) -> None:
    ids = dict(run("SELECT position, row_id FROM audit_leaves"))
    run("UPDATE audit_logs SET reason = '' WHERE id IN (%s, %s)", [ids[50], ids[20]])
    with pytest.raises(AuditError) as caught:
        prove(trail_keys(), sealed)
    assert (caught.value.number, caught.value.position, caught.value.row_id) == (3, 20, ids[20])
    assert "ticket" not in str(caught.value)


def test_every_column_of_a_row_is_under_its_seal(sealed: list[Any]) -> None:
    missed = []
    for name in [each.column for each in AuditLog._meta.fields]:
        point = transaction.savepoint()
        change_column("audit_logs", "id", run("SELECT id FROM audit_logs ORDER BY id LIMIT 1 OFFSET 31")[0][0], name)
        if not is_found(sealed):
            missed.append(name)
        transaction.savepoint_rollback(point)
    assert missed == []


def test_a_row_edited_before_it_is_sealed_is_found(db: None, settings: Any, tmp_path: Any) -> None:
    """What the recorder's code is for; and the negative control: with the thief's key known, it proves nothing."""
    settings.AUDIT_CHECKPOINT_FILE = str(tmp_path / "c")
    record(actor=Actor.system("tests"), action="story.read", details={"ids": [1]})
    with unprotected(*TABLES, triggers="USER"):
        run("UPDATE audit_logs SET details = %s", [json.dumps({"ids": [2]})])
    done = seal(sweep=True)
    assert (done.rows, len(done.forged)) == (0, 1)
    with pytest.raises(AuditError, match=str(done.forged[0])):
        prove(trail_keys())
    with unprotected(*TABLES, triggers="USER"):
        run("DELETE FROM audit_logs")
    settings.AUDIT_SIGNING_KEY = THIEF
    record(actor=Actor.system("tests"), action="forged")
    assert seal().rows == 1


def test_the_clock_set_back_breaks_nothing(sealed: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from django.utils import timezone

    before = timezone.now() - timedelta(days=400)
    monkeypatch.setattr("audit.services.timezone.now", lambda: before)
    for _ in range(3):
        record(actor=Actor.system("tests"), action="late")
    assert seal().rows == 3
    assert prove(trail_keys(), sealed).rows == ROWS + 3
