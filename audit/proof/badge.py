"""Whether rows of the audit log are as they were sealed, a page at a time, for who looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from audit.errors import RowNotEncodable
from audit.models import AuditLeaf, AuditLog
from audit.proof.row_digest import AuditRow, row_leaf, stamp_of

AS_SEALED: Final = "As sealed"
NOT_YET: Final = "Not sealed yet"
CHANGED: Final = "Changed since"


def badges(rows: Sequence[AuditLog]) -> dict[UUID, str]:
    """Compare each row with its leaf, in one statement. That leaves are signed as a whole `verify_audit` proves."""
    leaves = dict(AuditLeaf.objects.filter(row_id__in=[row.pk for row in rows]).values_list("row_id", "leaf"))
    return {row.pk: _badge(row, leaves.get(row.pk)) for row in rows}


def _badge(row: AuditLog, leaf: bytes | memoryview | None) -> str:
    if leaf is None:
        return NOT_YET
    content = AuditRow(*(getattr(row, name) for name in AuditRow._fields))
    try:
        same = row_leaf(content, stamp_of(bytes(row.mac), row.xact)) == bytes(leaf)
    except RowNotEncodable:
        same = False
    return AS_SEALED if same else CHANGED
