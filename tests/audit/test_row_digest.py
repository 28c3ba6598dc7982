"""Two rows have one digest only if they say the same."""

import json
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from ipaddress import ip_address
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import RowNotEncodable
from audit.proof.row_digest import AuditRow, encode_row, row_leaf

ROW = AuditRow(
    id=UUID("01939e00-0000-7000-8000-000000000001"),
    at=datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC),
    actor_kind="staff",
    actor="01939e00-0000-7000-8000-00000000000a",
    subject="01939e00-0000-7000-8000-00000000000b",
    action="memory.read",
    resource="encrypted_memories:7",
    outcome="done",
    reason="ticket 12",
    ip="198.51.100.7",
    user_agent="curl/8.5",
    request_id="01939e00-0000-7000-8000-00000000000c",
    details={"ids": [1, 2], "fields": ["title"], "deep": {"b": None, "a": True}},
)
TEXTS = ("actor_kind", "actor", "subject", "action", "resource", "outcome", "reason", "user_agent", "request_id")
CHANGES: list[tuple[str, object]] = [
    ("id", UUID("01939e00-0000-7000-8000-000000000002")),
    ("at", ROW.at + timedelta(microseconds=1)),
    ("at", ROW.at - timedelta(microseconds=1)),
    *((name, f"{getattr(ROW, name)} ") for name in TEXTS),
    *((name, "") for name in TEXTS),
    *((name, None) for name in TEXTS),
    ("user_agent", "Curl/8.5"),
    ("ip", "198.51.100.8"),
    ("ip", "::ffff:198.51.100.7"),
    ("ip", "198.51.100.7/31"),
    ("ip", None),
    ("details", {}),
    ("details", {**ROW.details, "ids": [2, 1]}),  # type: ignore[dict-item]
    ("details", {**ROW.details, "ids": ["1", 2]}),  # type: ignore[dict-item]
    ("details", {**ROW.details, "ids": [True, 2]}),  # type: ignore[dict-item]
    ("details", {**ROW.details, "deep": {"b": None, "a": 1}}),  # type: ignore[dict-item]
    ("details", {**ROW.details, "deep": '{"b": null, "a": true}'}),  # type: ignore[dict-item]
]


def changed(**values: object) -> AuditRow:
    return ROW._replace(**values)  # type: ignore[arg-type]


def test_the_bytes_are_as_the_format_says() -> None:
    row = changed(reason=None, subject="", details={"b": [1, None], "a": "é"})

    def sized(content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + content

    microseconds = 1_795_348_800_123_456
    assert encode_row(row) == b"".join(
        [
            b"vibe.audit.row\x00\x01",
            sized(bytes.fromhex("01939e00000070008000000000000001")),
            sized(microseconds.to_bytes(8, "big")),
            sized(b"staff"),
            sized(b"01939e00-0000-7000-8000-00000000000a"),
            sized(b""),
            sized(b"memory.read"),
            sized(b"encrypted_memories:7"),
            sized(b"done"),
            b"\xff\xff\xff\xff",
            sized(bytes([198, 51, 100, 7, 32])),
            sized(b"curl/8.5"),
            sized(b"01939e00-0000-7000-8000-00000000000c"),
            sized(b'{"a":"\\u00e9","b":[1,null]}'),
        ]
    )


def test_the_digest_of_a_known_row_never_changes() -> None:
    assert row_leaf(ROW).hex() == "b3b3a86e693174b34291ead529b89886812f0ea6a1d8754e40a36d400ae83465"
    assert row_leaf(ROW) == sha256(b"\x00" + encode_row(ROW)).digest()


def test_every_field_is_under_test() -> None:
    assert {name for name, _ in CHANGES} == set(AuditRow._fields)


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_a_change_in_any_field_changes_the_digest(name: str, value: object) -> None:
    assert row_leaf(changed(**{name: value})) != row_leaf(ROW)


def test_no_two_changes_give_the_same_digest() -> None:
    assert len({row_leaf(changed(**{name: value})) for name, value in CHANGES}) == len(CHANGES)


def moved(row: AuditRow, left: str, right: str) -> AuditRow:
    """Move the first character of one field to the end of the field before it."""
    text = str(getattr(row, right))
    return row._replace(**{left: f"{getattr(row, left)}{text[0]}", right: text[1:]})  # type: ignore[arg-type]


NEIGHBOURS = list(pairwise(TEXTS))


@pytest.mark.parametrize(("left", "right"), NEIGHBOURS)
def test_a_character_cannot_move_to_the_field_before(left: str, right: str) -> None:
    assert row_leaf(moved(ROW, left, right)) != row_leaf(ROW)


def test_control_without_lengths_a_character_can_move() -> None:
    def joined(row: AuditRow) -> bytes:
        return sha256("".join(map(str, row)).encode()).digest()

    # The address stands between two of the texts and keeps them apart.
    assert [joined(moved(ROW, *pair)) == joined(ROW) for pair in NEIGHBOURS].count(True) == len(NEIGHBOURS) - 1


def test_a_field_cannot_hold_the_encoding_of_the_next() -> None:
    swallowed = "done" + "\x00\x00\x00\x09" + "ticket 12"
    assert row_leaf(changed(outcome=swallowed, reason=None)) != row_leaf(ROW)
    assert row_leaf(changed(outcome=None, reason="done")) != row_leaf(changed(outcome="done", reason=None))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("at", ROW.at.astimezone(timezone(timedelta(hours=5, minutes=30)))),
        ("actor", UUID(str(ROW.actor))),
        ("request_id", UUID(str(ROW.request_id))),
        ("ip", ip_address(str(ROW.ip))),
        ("ip", "198.51.100.7/32"),
        ("details", json.dumps(ROW.details)),
        ("details", '{ "deep":{"a":true,"b":null},\n"fields":["\\u0074itle"], "ids":[1, 2]}'),
        ("details", dict(reversed(list(ROW.details.items())))),  # type: ignore[union-attr]
        ("details", {**ROW.details, "ids": (1, 2)}),  # type: ignore[dict-item]
    ],
)
def test_the_same_said_in_another_way_has_the_same_digest(name: str, value: object) -> None:
    assert row_leaf(changed(**{name: value})) == row_leaf(ROW)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("at", datetime(2026, 11, 22)),
        ("at", None),
        ("actor", 7),
        ("action", b"memory.read"),
        ("reason", ["x"]),
        ("reason", "\ud800"),
        ("ip", "no address"),
        ("ip", "fe80::1%eth0"),
        ("details", None),
        ("details", "[]"),
        ("details", "{"),
        ("details", '{"a": 1.0}'),
        ("details", {"a": 1.5}),
        ("details", {"a": float("nan")}),
        ("details", '{"a": Infinity}'),
        ("details", '{"a": ' + "9" * 5000 + "}"),
        ("details", '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"),
        ("details", {"a": datetime(2026, 11, 22)}),
    ],
)
def test_what_the_recorder_never_writes_is_refused_by_the_rows_id(name: str, value: object) -> None:
    with pytest.raises(RowNotEncodable, match=str(ROW.id)) as caught:
        row_leaf(changed(**{name: value}))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.builds(
    AuditRow,
    id=st.uuids(),
    at=st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    **{name: st.none() | st.text(alphabet="ab\x00é", max_size=3) for name in TEXTS},
    ip=st.none() | st.ip_addresses(),
    details=st.dictionaries(st.text(max_size=3), JSON, max_size=3),
)


def same(one: AuditRow, other: AuditRow) -> bool:
    # Python holds True and 1 to be equal; JSON text does not.
    return one[:-1] == other[:-1] and json.dumps(one.details, sort_keys=True) == json.dumps(
        other.details, sort_keys=True
    )


@given(ROWS, ROWS)
def test_different_rows_have_different_bytes(one: AuditRow, other: AuditRow) -> None:
    assert (encode_row(one) == encode_row(other)) == same(one, other)


@given(ROWS)
def test_a_row_read_back_as_text_has_the_same_digest(row: AuditRow) -> None:
    read = row._replace(
        at=row.at.astimezone(timezone(timedelta(hours=-3))),
        ip=None if row.ip is None else str(row.ip),
        details=json.dumps(row.details, indent=1, ensure_ascii=False),
    )
    assert row_leaf(read) == row_leaf(row)
