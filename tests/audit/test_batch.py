"""A thousand tamperings by someone who may write every table, each found; and the trail as it was, proved."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from audit.errors import BatchBroken, ChainBroken, Fault, RowNotEncodable
from audit.proof.checkpoint import Checkpoint, SignedCheckpoint
from audit.proof.merkle import root
from audit.proof.row_digest import AuditRow, row_leaf
from audit.proof.signing import KeyRing, SigningKey
from audit.proof.verification import ChainVerifier, SealedRow, verify_batch

KEY, THIEF = SigningKey(b"k" * 32), SigningKey(b"t" * 32)
RING = KeyRing([KEY.public])
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def row_of(number: int) -> AuditRow:
    return AuditRow(
        id=UUID(int=number),
        at=NOON + timedelta(seconds=number),
        actor_kind="person",
        actor=f"actor {number}",
        subject=f"subject {number % 7}",
        action="story.read",
        resource=f"stories:{number}",
        outcome="done",
        reason="",
        ip=f"198.51.100.{number % 250}",
        user_agent="curl/8.5",
        request_id=f"request {number}",
        details={"ids": [number]},
    )


@dataclass
class Trail:
    """The three tables, in memory, and the newest checkpoint kept elsewhere."""

    rows: dict[UUID, AuditRow] = field(default_factory=dict)
    seals: dict[int, tuple[UUID, bytes]] = field(default_factory=dict)
    chain: list[SignedCheckpoint] = field(default_factory=list)
    witness: list[SignedCheckpoint] = field(default_factory=list)

    def seal(self, rows: list[AuditRow], key: SigningKey = KEY) -> None:
        leaves = [row_leaf(row) for row in rows]
        head = self.chain[-1].checkpoint if self.chain else None
        made = Checkpoint.following(head, root=root(leaves), count=len(rows), at=NOON, key_id=key.id)
        for position, (row, leaf) in enumerate(zip(rows, leaves, strict=True), start=made.first):
            self.rows[row.id] = row
            self.seals[position] = (row.id, leaf)
        self.chain.append(made.sign(key))

    def prove(self) -> None:
        verifier = ChainVerifier(RING, self.witness)
        for signed in self.chain:
            proved = verifier.accept(signed)
            verify_batch(proved, [entry for entry in self.entries() if proved.first <= entry.position <= proved.last])
        verifier.finish()
        last = self.chain[-1].checkpoint.last if self.chain else 0
        assert max(self.seals, default=0) <= last, "sealed beyond the last checkpoint"
        assert len(self.rows) == len(self.seals), "rows that no seal points to"

    def entries(self) -> list[SealedRow]:
        return [SealedRow(at, seal[0].bytes, seal[1], self.hash_of(seal[0])) for at, seal in sorted(self.seals.items())]

    def hash_of(self, row_id: UUID) -> bytes | None:
        try:
            return row_leaf(self.rows[row_id])
        except KeyError:
            return None
        except RowNotEncodable:
            return b""


def fresh_trail() -> Trail:
    trail, number = Trail(), 1
    for size in (1, 2, 7, 16, 5):
        trail.seal([row_of(n) for n in range(number, number + size)])
        number += size
    trail.witness = trail.chain[-1:]
    return trail


def is_found(trail: Trail) -> bool:
    try:
        trail.prove()
    except (BatchBroken, ChainBroken, AssertionError):
        return True
    return False


def edit(trail: Trail, random: Random) -> None:
    row = random.choice(list(trail.rows.values()))
    name = random.choice(AuditRow._fields[1:])
    value: object = {"at": row.at + timedelta(microseconds=1), "ip": "203.0.113.9", "details": {}}.get(name, "forged")
    trail.rows[row.id] = row._replace(**{name: value})  # type: ignore[arg-type]


def edit_and_hash_anew(trail: Trail, random: Random) -> None:
    edit(trail, random)
    for at, (row_id, _) in trail.seals.items():
        trail.seals[at] = (row_id, row_leaf(trail.rows[row_id]))


def edit_into_nonsense(trail: Trail, random: Random) -> None:
    row = random.choice(list(trail.rows.values()))
    trail.rows[row.id] = row._replace(details='{"ids": [1.0]}')


def delete(trail: Trail, random: Random) -> None:
    del trail.rows[random.choice(list(trail.rows))]


def delete_with_seal(trail: Trail, random: Random) -> None:
    row_id, _ = trail.seals.pop(random.choice(list(trail.seals)))
    del trail.rows[row_id]


def delete_and_close_up(trail: Trail, random: Random) -> None:
    delete_with_seal(trail, random)
    trail.seals = dict(enumerate((seal for _, seal in sorted(trail.seals.items())), start=1))


def insert(trail: Trail, random: Random) -> None:
    row, at = row_of(random.randrange(100, 200)), random.randint(1, len(trail.seals) + 1)
    seals = [seal for _, seal in sorted(trail.seals.items())]
    seals.insert(at - 1, (row.id, row_leaf(row)))
    trail.rows[row.id], trail.seals = row, dict(enumerate(seals, start=1))


def swap_seals(trail: Trail, random: Random) -> None:
    one, other = random.sample(list(trail.seals), 2)
    trail.seals[one], trail.seals[other] = trail.seals[other], trail.seals[one]


def swap_contents(trail: Trail, random: Random) -> None:
    one, other = random.sample(list(trail.rows.values()), 2)
    trail.rows[one.id], trail.rows[other.id] = other._replace(id=one.id), one._replace(id=other.id)


def reorder(trail: Trail, random: Random) -> None:
    turn = random.randrange(1, len(trail.seals))
    seals = [seal for _, seal in sorted(trail.seals.items())]
    trail.seals = dict(enumerate(seals[turn:] + seals[:turn], start=1))


def cut_tail(trail: Trail, random: Random) -> None:
    trail.chain = trail.chain[: random.randrange(len(trail.chain))]
    last = trail.chain[-1].checkpoint.last if trail.chain else 0
    trail.seals = {at: seal for at, seal in trail.seals.items() if at <= last}
    trail.rows = {row_id: trail.rows[row_id] for row_id, _ in trail.seals.values()}


def drop_checkpoint(trail: Trail, random: Random) -> None:
    del trail.chain[random.randrange(len(trail.chain))]


def forge(trail: Trail, random: Random) -> None:
    """Edit, then seal everything anew with a key of one's own, from some checkpoint on."""
    start = random.randrange(len(trail.chain))
    edit_and_hash_anew(trail, random)
    old, trail.chain = trail.chain, trail.chain[:start]
    for signed in old[start:]:
        span = range(signed.checkpoint.first, signed.checkpoint.last + 1)
        trail.seal([trail.rows[trail.seals[at][0]] for at in span], THIEF)


def forge_signature(trail: Trail, random: Random) -> None:
    at = random.randrange(len(trail.chain))
    altered = replace(trail.chain[at].checkpoint, root=random.randbytes(32))
    trail.chain[at] = SignedCheckpoint(
        altered, random.choice((trail.chain[at].signature, THIEF.sign(altered.encode())))
    )


Attack = Callable[[Trail, Random], None]
ATTACKS: list[Attack] = [
    *(edit, edit_and_hash_anew, edit_into_nonsense, delete, delete_with_seal, delete_and_close_up, insert),
    *(swap_seals, swap_contents, reorder, cut_tail, drop_checkpoint, forge, forge_signature),
]


def test_an_untouched_trail_is_proved() -> None:
    fresh_trail().prove()


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_tampering_is_found(attack: Attack) -> None:
    missed = []
    for seed in range(80):
        trail = fresh_trail()
        attack(trail, Random(seed))
        if not is_found(trail):
            missed.append(seed)
    assert missed == []


@pytest.mark.parametrize("attack", [edit, delete, swap_contents])
def test_control_rows_are_proved_by_the_batch_and_by_nothing_else(
    attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.verify_batch", lambda *_: None)
    trail = fresh_trail()
    attack(trail, Random(1))
    trail.seals = {at: seal for at, seal in trail.seals.items() if seal[0] in trail.rows}
    assert not is_found(trail)


def test_control_a_forgery_with_the_right_key_is_found_by_the_witness_alone() -> None:
    trail = fresh_trail()
    rows = [trail.rows[row_id]._replace(reason="forged") for row_id, _ in trail.seals.values()]
    forged = Trail(witness=trail.witness)
    forged.seal(rows)
    assert is_found(forged)
    forged.witness = []
    assert not is_found(forged)


def test_the_first_bad_row_is_named() -> None:
    trail = fresh_trail()
    for number in (20, 12):
        trail.rows[UUID(int=number)] = row_of(number)._replace(outcome="refused")
    with pytest.raises(BatchBroken) as caught:
        trail.prove()
    broken = caught.value
    assert (broken.number, broken.fault, broken.position, broken.row_id) == (4, Fault.ROW_ALTERED, 12, UUID(int=12))
    assert str(UUID(int=12)) in str(broken)


def test_a_deleted_row_is_named_by_its_seal() -> None:
    trail = fresh_trail()
    del trail.rows[UUID(int=5)]
    with pytest.raises(BatchBroken, match=f"{UUID(int=5)} .position 5.: row-missing"):
        trail.prove()


def test_rows_of_a_later_format_are_not_called_forged() -> None:
    later = replace(fresh_trail().chain[0].checkpoint, row_format=2)
    with pytest.raises(RowNotEncodable, match="update the program"):
        verify_batch(later, [])
