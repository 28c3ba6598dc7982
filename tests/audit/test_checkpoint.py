"""A checkpoint is signed as a whole, reads back as it was written, and stands in one chain only."""

import json
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import ChainBroken, CheckpointMalformed, Fault, SigningKeyInvalid
from audit.proof.checkpoint import GENESIS, Checkpoint, SignedCheckpoint
from audit.proof.signing import KeyRing, SigningKey, key_id
from audit.proof.verification import ChainVerifier

# The key and public key of test 1 in RFC 8032, section 7.1.
SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
KEY, NEXT, STRANGER = SigningKey.from_hex(SEED), SigningKey(b"2" * 32), SigningKey(b"3" * 32)
RING = KeyRing([KEY.public, NEXT.public])
NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def following(previous: SignedCheckpoint | None, key: SigningKey = KEY, count: int = 10) -> SignedCheckpoint:
    head = previous.checkpoint if previous else None
    number = head.number + 1 if head else 1
    root = sha256(b"root %d" % number).digest()
    at = NOON + timedelta(seconds=number)
    return Checkpoint.following(head, root=root, count=count, at=at, key_id=key.id).sign(key)


def chain_of(keys: list[SigningKey]) -> list[SignedCheckpoint]:
    chain: list[SignedCheckpoint] = []
    for key in keys:
        chain.append(following(chain[-1] if chain else None, key))
    return chain


def resigned(signed: SignedCheckpoint, key: SigningKey = KEY, **changes: object) -> SignedCheckpoint:
    return replace(signed.checkpoint, key_id=key.id, **changes).sign(key)  # type: ignore[arg-type]


def verify_chain(chain: list[SignedCheckpoint], ring: KeyRing, witnesses: list[SignedCheckpoint]) -> Checkpoint | None:
    verifier = ChainVerifier(ring, witnesses)
    for signed in chain:
        verifier.accept(signed)
    return verifier.finish()


def fault_of(
    chain: list[SignedCheckpoint], witnesses: list[SignedCheckpoint] | None = None, ring: KeyRing = RING
) -> tuple[int, Fault] | None:
    try:
        verify_chain(chain, ring, witnesses or [])
    except ChainBroken as broken:
        return broken.number, broken.fault
    return None


CHAIN = chain_of([KEY] * 3 + [NEXT] * 3)
ONE = CHAIN[0]
CHANGES: list[dict[str, object]] = [
    {"number": 2},
    {"first": 2},
    {"count": 11},
    {"root": GENESIS},
    {"previous": b"\1" * 32},
    {"at": ONE.checkpoint.at + timedelta(microseconds=1)},
    {"key_id": NEXT.id},
    {"row_format": 2},
]


def test_the_key_is_that_of_rfc_8032_and_prints_as_its_id() -> None:
    assert KEY.public.hex() == PUBLIC
    assert KEY.id == key_id(KEY.public) == sha256(KEY.public).digest()[:8]
    assert repr(KEY) == f"SigningKey(id={KEY.id.hex()})"
    assert (
        KEY.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a3")
    )


def test_the_signed_bytes_are_as_the_format_says() -> None:
    content = ONE.checkpoint
    expected = b"vibe.audit.checkpoint\x00\x01\x01" + struct.pack(">QQQ", 1, 1, 10) + content.root + bytes(32)
    expected += struct.pack(">q", 1_795_348_801_123_456) + KEY.id
    assert content.encode() == expected
    assert content.digest() == sha256(expected).digest()
    Ed25519PublicKey.from_public_bytes(KEY.public).verify(ONE.signature, expected)


def test_an_untouched_chain_over_two_keys_is_proved() -> None:
    assert verify_chain(CHAIN, RING, [*CHAIN, CHAIN[2]]) == CHAIN[-1].checkpoint
    assert CHAIN[-1].checkpoint.last == 60
    assert verify_chain([], RING, []) is None


@pytest.mark.parametrize("changes", CHANGES)
def test_every_field_is_signed(changes: dict[str, object]) -> None:
    altered = replace(ONE.checkpoint, **changes)  # type: ignore[arg-type]
    assert altered.digest() != ONE.checkpoint.digest()
    assert not RING.verify(altered.key_id, altered.encode(), ONE.signature)
    assert fault_of([SignedCheckpoint(altered, ONE.signature)]) in {(1, Fault.SIGNATURE), (1, Fault.NUMBER)}


def test_every_field_is_changed_above() -> None:
    assert {name for changes in CHANGES for name in changes} == set(Checkpoint.__dataclass_fields__)


@pytest.mark.parametrize("bit", range(0, 512, 7))
def test_no_bit_of_a_signature_may_change(bit: int) -> None:
    flipped = (int.from_bytes(ONE.signature, "big") ^ 1 << bit).to_bytes(64, "big")
    assert fault_of([SignedCheckpoint(ONE.checkpoint, flipped)]) == (1, Fault.SIGNATURE)


@pytest.mark.parametrize("gone", range(6))
def test_a_dropped_checkpoint_is_missed(gone: int) -> None:
    left = CHAIN[:gone] + CHAIN[gone + 1 :]
    assert fault_of(left, witnesses=CHAIN[-1:]) == (gone + 1, Fault.CUT if gone == 5 else Fault.NUMBER)


@pytest.mark.parametrize("kept", range(6))
def test_a_cut_tail_is_found_by_one_witness(kept: int) -> None:
    assert fault_of(CHAIN[:kept], witnesses=CHAIN[-1:]) == (kept + 1, Fault.CUT)


def test_control_without_a_witness_a_cut_tail_is_not_found() -> None:
    assert fault_of(CHAIN[:3]) is None


def test_renumbering_or_swapping_checkpoints_is_found() -> None:
    swapped = [CHAIN[0], CHAIN[2], CHAIN[1], *CHAIN[3:]]
    assert fault_of(swapped) == (2, Fault.NUMBER)
    renumbered = [CHAIN[0], SignedCheckpoint(replace(CHAIN[2].checkpoint, number=2), CHAIN[2].signature)]
    assert fault_of(renumbered) == (2, Fault.SIGNATURE)
    assert fault_of([CHAIN[0], CHAIN[0]]) == (2, Fault.NUMBER)


def test_a_key_outside_the_ring_proves_nothing() -> None:
    forged = chain_of([STRANGER] * 6)
    assert fault_of(forged) == (1, Fault.UNKNOWN_KEY)
    assert fault_of([*CHAIN[:2], following(CHAIN[1], STRANGER)]) == (3, Fault.UNKNOWN_KEY)
    pretended = SignedCheckpoint(CHAIN[2].checkpoint, STRANGER.sign(CHAIN[2].checkpoint.encode()))
    assert fault_of([*CHAIN[:2], pretended]) == (3, Fault.SIGNATURE)


def test_control_with_the_strangers_key_in_the_ring_its_chain_is_believed() -> None:
    assert fault_of(chain_of([STRANGER] * 6), ring=RING.including(STRANGER)) is None


def test_a_key_that_was_replaced_never_signs_again() -> None:
    assert fault_of([*CHAIN, following(CHAIN[-1], KEY)]) == (7, Fault.RETIRED_KEY)
    assert fault_of([*CHAIN, following(CHAIN[-1], NEXT)]) is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [({"previous": b"\1" * 32}, Fault.LINK), ({"first": 12}, Fault.POSITION), ({"first": 10}, Fault.POSITION)],
)
def test_a_sound_signature_does_not_excuse_a_gap(changes: dict[str, object], fault: Fault) -> None:
    assert fault_of([CHAIN[0], resigned(CHAIN[1], KEY, **changes)]) == (2, fault)


def test_a_history_signed_anew_differs_from_the_witness() -> None:
    forged = [resigned(CHAIN[0], root=GENESIS)]
    forged.append(following(forged[0]))
    assert fault_of(forged) is None
    assert fault_of(forged, witnesses=CHAIN[:1]) == (1, Fault.FORK)
    assert fault_of(forged, witnesses=CHAIN[1:2]) == (2, Fault.FORK)
    assert fault_of(forged, witnesses=CHAIN[5:]) == (3, Fault.CUT)


def test_witnesses_must_be_sound_and_agree() -> None:
    with pytest.raises(ChainBroken, match="number 1: fork"):
        ChainVerifier(RING, [CHAIN[0], resigned(CHAIN[0], root=GENESIS)])
    with pytest.raises(ChainBroken, match="number 1: unknown-key"):
        ChainVerifier(RING, chain_of([STRANGER]))
    with pytest.raises(ChainBroken, match="number 2: signature"):
        ChainVerifier(RING, [SignedCheckpoint(CHAIN[1].checkpoint, CHAIN[0].signature)])


def test_a_clock_set_back_breaks_nothing() -> None:
    earlier = Checkpoint.following(ONE.checkpoint, root=GENESIS, count=1, at=NOON - timedelta(days=400), key_id=KEY.id)
    assert fault_of([ONE, earlier.sign(KEY)]) is None


def test_a_line_reads_back_and_is_one_line() -> None:
    for signed in CHAIN:
        line = signed.to_line()
        assert "\n" not in line
        assert SignedCheckpoint.from_line(line) == signed
        assert SignedCheckpoint.from_line(json.dumps(json.loads(line), indent=2, sort_keys=True)) == signed


def test_the_line_of_any_time_zone_is_in_utc() -> None:
    at = NOON.astimezone(timezone(timedelta(hours=-7)))
    line = Checkpoint.following(None, root=GENESIS, count=1, at=at, key_id=KEY.id).sign(KEY).to_line()
    assert json.loads(line)["at"] == "2026-11-22T12:00:00.123456Z"


LINE = ONE.to_line()
BAD_VALUES: list[tuple[str, object]] = [
    *(
        (name, value)
        for name in ("format", "row_format", "number", "first", "count")
        for value in (True, 1.0, "1", -1, 0, None)
    ),
    *(
        (name, value)
        for name in ("root", "previous", "key_id", "signature")
        for value in ("", "zz", "A" * 64, " " * 64, 1, None)
    ),
    *(("at", value) for value in ("2026-11-22", "2026-11-22T12:00:00Z", "2026-13-22T12:00:00.000000Z", 0, None)),
    *(("number", 2**63), ("count", 2**63 + 1), ("first", 2**64), ("format", 2), ("row_format", 256)),
    ("extra", 1),
]


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_a_line_with_a_bad_value_is_refused(name: str, value: object) -> None:
    with pytest.raises(CheckpointMalformed):
        SignedCheckpoint.from_line(json.dumps({**json.loads(LINE), name: value}))


@pytest.mark.parametrize(
    "line",
    [
        *("", "null", "[]", "{}", "1", LINE[:-1], LINE + LINE, LINE.replace("{", '{"number":1,', 1), "[" * 10**5),
        *(json.dumps({k: v for k, v in json.loads(LINE).items() if k != name}) for name in json.loads(LINE)),
    ],
)
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(CheckpointMalformed):
        SignedCheckpoint.from_line(line)


@given(st.integers(0, len(LINE) - 1), st.characters(codec="utf-8"))
def test_a_line_with_one_character_changed_is_refused_or_fails(place: int, character: str) -> None:
    try:
        signed = SignedCheckpoint.from_line(LINE[:place] + character + LINE[place + 1 :])
    except CheckpointMalformed:
        return
    assert signed == ONE or fault_of([signed]) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 0},
        {"first": 0},
        {"count": 0},
        {"count": 2**63},
        {"root": b""},
        {"previous": b"x"},
        {"key_id": b"x"},
        {"at": datetime(2026, 11, 22)},
        {"row_format": 0},
        {"row_format": 256},
    ],
)
def test_a_checkpoint_that_no_sealer_makes_cannot_be_made(changes: dict[str, object]) -> None:
    with pytest.raises(CheckpointMalformed):
        replace(ONE.checkpoint, **changes)  # type: ignore[arg-type]


def test_a_checkpoint_is_signed_by_the_key_it_names() -> None:
    with pytest.raises(ValueError, match="another key"):
        ONE.checkpoint.sign(NEXT)


def test_positions_follow_one_another_without_a_gap() -> None:
    for before, after in pairwise(CHAIN):
        assert after.checkpoint.first == before.checkpoint.last + 1


@pytest.mark.parametrize(
    "text", ["", "12", SEED[:-1], SEED + "0", SEED[:-1] + "g", "0x" + SEED[2:], SEED[:32] + " " + SEED[33:]]
)
def test_a_key_that_is_none_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(SigningKeyInvalid, match="64 hex digits") as caught:
        SigningKey.from_hex(text)
    assert not text or text not in str(caught.value)


def test_rings_are_read_from_a_setting() -> None:
    ring = KeyRing.from_hex(f" {PUBLIC},\n{NEXT.public.hex().upper()} {PUBLIC}")
    assert set(ring) == {KEY.id, NEXT.id}
    assert len(KeyRing.from_hex("")) == 0
    assert KEY.id in KeyRing([]).including(KEY)
    with pytest.raises(SigningKeyInvalid):
        KeyRing.from_hex(PUBLIC + ", 12")
