"""What the server sends makes the same digest as the row in Python."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.proof.row_digest import AuditRow, encode_row, row_leaf, stamp_of
from audit.proof.unsealed import found_rows
from audit.proof.wire import COLUMNS, encode_time
from audit.services import INSERT
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_system

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=9)
DETAILS = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT | st.lists(st.integers()), max_size=3)
ROWS = st.builds(
    AuditRow,
    id=st.builds(uuid7),
    at=st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    actor_kind=st.just("system"),
    actor=TEXT,
    subject=st.none() | st.uuids().map(str),
    action=TEXT,
    resource=TEXT,
    outcome=st.just("ok"),
    reason=TEXT,
    ip=st.none() | st.ip_addresses().map(str),
    user_agent=TEXT,
    request_id=TEXT,
    details=st.just("{}") | DETAILS.map(json.dumps),
)


@given(ROWS, st.binary(min_size=32, max_size=32))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_wire_and_python_agree(db: Any, row: AuditRow, mac: bytes) -> None:
    with transaction.atomic(), as_system():
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [*row, mac])
        (read,) = found_rows(f"SELECT {COLUMNS} FROM audit_logs r WHERE r.id = %s", [row.id])
        assert (read.id, encode_time(read.at), read.content, read.mac()) == (row.id, row.at, encode_row(row), mac)
        assert read.leaf() == row_leaf(row, stamp_of(mac, read.xact()))
