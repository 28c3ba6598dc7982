"""Verification of erasure receipts: signed by this service, in the audit log, and no data of the person left."""

from __future__ import annotations

from uuid import UUID

from accounts.erasure.deleting import jobs_running, rows_left
from accounts.erasure.receipts import Statement, signature_holds
from accounts.models import Erasure, User
from audit.models import AuditLog
from vibe.core.db.scopes import as_system
from vibe.core.errors import NotFound, VibeError


class ReceiptBroken(VibeError):
    message = "A receipt does not hold."
    code = "receipt-broken"


def verify(receipt: Statement) -> None:
    """Verify a receipt as it was issued. Raises ReceiptBroken with the reason."""
    if not signature_holds(receipt) or receipt.get("kind") != "erased":
        raise ReceiptBroken("The receipt is not as a key of this service signed it.")
    user_id = UUID(receipt["person"])
    with as_system():
        told = AuditLog.objects.about(user_id).filter(action="erasure.finish", details__receipt=receipt)
        if not told.exists():
            raise ReceiptBroken(f"The trail does not have the receipt of person {user_id}. Run verify_audit.")
        back = User.objects.filter(pk=user_id).exists()
    left = {**rows_left(user_id), **({"users": 1} if back else {})}
    if jobs := jobs_running(user_id):
        left["procrastinate_jobs"] = jobs
    if left:
        raise ReceiptBroken(f"Of person {user_id} there is something left: {', '.join(left)}. Run erase_again.")


def verify_all() -> int:
    """Verify every receipt of the database. Return how many. Raises ReceiptBroken for the first invalid one."""
    with as_system():
        finished = list(Erasure.objects.filter(finished_at__isnull=False).order_by("pk"))
    for erasure in finished:
        receipt = erasure.receipt or {}
        if receipt.get("person") != str(erasure.person):
            raise ReceiptBroken(f"The receipt of person {erasure.person} is another's.")
        verify(receipt)
    return len(finished)


def receipt_of(user_id: UUID) -> Statement:
    """Read the receipt of one person. Raises NotFound."""
    with as_system():
        erasure = Erasure.objects.filter(person=user_id, finished_at__isnull=False).first()
    if erasure is None:
        raise NotFound("That person was not erased here. Give the id from the receipt.")
    return dict(erasure.receipt or {})
