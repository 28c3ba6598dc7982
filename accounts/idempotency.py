"""Idempotent requests (draft-ietf-httpapi-idempotency-key-header).

Key, change and answer share one transaction. A retry waits while the first request runs. If that one fails, its key
is rolled back with it, and the retry counts as the first. Answers are kept for a day, sealed: status, headers and ids.
No body is kept, so nothing can be read there that was deleted since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

from django.db import OperationalError
from django.utils import timezone
from psycopg import sql

from accounts.keys.services.data_keys import open_vault
from accounts.models import KeptAnswer
from audit.actors import Actor
from audit.services import record
from vibe.core.crypto.seal import Address, Sealed
from vibe.core.db.schema.owned import uuid7
from vibe.core.db.scopes import as_system, as_user
from vibe.core.db.statements.batching import execute_literal_batch
from vibe.core.errors import Conflict, InputError, VibeError

Result = TypeVar("Result")
KEPT: Final = timedelta(hours=24)
LONGEST_KEY: Final = 200
TABLE: Final = KeptAnswer._meta.db_table

# A concurrent request with the same key waits here for the first; an expired key is claimed anew. The wait is bounded
# because clients time out.
PATIENCE: Final = sql.SQL("SET LOCAL lock_timeout = '10s'")
CLAIM: Final = sql.SQL(
    f"INSERT INTO {TABLE} (id, user_id, key, created_at) VALUES ({{}}, {{}}, {{}}, {{}}) "  # noqa: S608
    f"ON CONFLICT (user_id, key) DO UPDATE SET created_at = excluded.created_at, answer = NULL "
    f"WHERE {TABLE}.created_at < {{}} RETURNING id"
)


class KeyMalformed(InputError):
    message = "An Idempotency-Key has 1 to 200 visible ASCII characters. A UUID does well."
    code = "idempotency-key-malformed"


class KeyUsed(InputError):
    message = "This Idempotency-Key came with another request before. Use a new one for each thing to be done."
    code = "idempotency-key-used"
    status = 422


class StillRunning(Conflict):
    message = "The first request with this Idempotency-Key still runs. Try again shortly."
    code = "still-running"


class Gone(VibeError):
    message = (
        "This was done, and its answer cannot be given again: what it made is gone, or was shown once. "
        "It is not done again. Use a new Idempotency-Key to do it anew."
    )
    code = "gone"
    status = 410


@dataclass(frozen=True, slots=True)
class KeptReply:
    """What is stored of a response: enough to read its body anew. Headers are left out of the repr."""

    request: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    bodied: bool
    ids: Sequence[str]


def request_digest(method: str, path: str, body: bytes, companion: str | None = None) -> str:
    """Return a digest that is equal for equal requests of credentials that are bound to the same companion, or none."""
    bound = "" if companion is None else f" {companion.encode().hex()}"
    return hashlib.sha256(f"{method} {path}{bound}\n".encode() + body).hexdigest()


def run_once(
    *, user_id: UUID, key: str, request: str, work: Callable[[], Result], kept: Callable[[Result], KeptReply]
) -> Result | KeptReply:
    """Run `work` unless this key was used. Return its result, or what was kept of the first. Needs a transaction.

    `request` is the digest of the request, `kept` says what to keep. Raises KeyMalformed, KeyUsed and StillRunning.
    """
    if not (1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise KeyMalformed
    with as_user(user_id):
        hashed = hashlib.sha256(key.encode()).digest()
        row_id = claim_key(user_id, hashed)
        if row_id is None:
            return kept_answer(user_id, hashed, request)
        result = work()
        keep_answer(user_id, row_id, kept(result))
    return result


def claim_key(user_id: UUID, hashed: bytes) -> UUID | None:
    """Insert the row of a key and return its id; None if the key was used. Raises StillRunning."""
    now = timezone.now()
    try:
        [made] = execute_literal_batch([PATIENCE, CLAIM.format(uuid7(), user_id, hashed, now, now - KEPT)])
    except OperationalError as problem:
        if getattr(problem.__cause__, "sqlstate", "") == "55P03":  # lock_not_available
            raise StillRunning from None
        raise
    return made[0][0] if made else None


def keep_answer(user_id: UUID, row_id: UUID, reply: KeptReply) -> None:
    """Seal a response and save it in its row."""
    sealed = open_vault().seal(json.dumps(asdict(reply)), Address(TABLE, "answer", user_id, row_id))
    KeptAnswer.objects.of(user_id).filter(pk=row_id).update(answer=sealed)


def kept_answer(user_id: UUID, hashed: bytes, request: str) -> KeptReply:
    """Return the stored response. Raises KeyUsed if the key came with another request."""
    row = KeptAnswer.objects.of(user_id).get(key=hashed)
    sealed: Sealed = row.answer
    reply = KeptReply(**json.loads(open_vault().open(sealed, Address(TABLE, "answer", user_id, row.pk))))
    if reply.request != request:
        raise KeyUsed
    return reply


def forget_answers(*, actor: Actor) -> int:
    """Delete the responses older than a day. Return how many."""
    with as_system():
        old = KeptAnswer.objects.filter(created_at__lt=timezone.now() - KEPT)
        count = sum(old.filter(user_id=each).delete()[0] for each in set(old.values_list("user_id", flat=True)))
        if count:
            record(actor=actor, action="kept_answers.forget", resource="kept_answers", details={"count": count})
    return count
