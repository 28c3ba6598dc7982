"""Scopes: the role in effect, and whose rows it sees, until the transaction ends.

Each scope is a transaction, a role set with SET LOCAL ROLE, and settings that name the person. They are sent with the
first statement inside, and cost no round trip (vibe.core.db.backend.base). Outside any scope the connection owns the
tables and still sees no rows, because row-level security is forced on the owner too. Scopes nest: at the end the outer
one is in effect again, or the whole transaction is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from vibe.core.db import citus_nodes
from vibe.core.db.errors import ContextError
from vibe.core.db.roles import SIGN_IN, STAFF, SUPPORT, SYSTEM, USER
from vibe.core.db.statements import revisions
from vibe.core.db.statements.batching import current_connection, distributed, set_role_sql


@dataclass(frozen=True, slots=True)
class Scope:
    """A role, and whose rows it may see: a person's id, or the Firebase UID and the API key that are signing in."""

    role: str
    user_id: str = ""
    firebase_uid: str = ""
    api_key: str = ""  # its digest, in hexadecimal


OUTSIDE = Scope("none")


def as_user(user_id: UUID) -> AbstractContextManager[None]:
    """See one person's rows, and nobody else's. Raises ContextError for what is not a UUID."""
    try:
        return enter_scope(Scope(USER, user_id=str(UUID(str(user_id)))))
    except ValueError:
        raise ContextError("as_user() needs the id of a person, a UUID.") from None


def as_support() -> AbstractContextManager[None]:
    """See everybody's metadata. No sealed column can be read."""
    return enter_scope(Scope(SUPPORT))


def as_staff() -> AbstractContextManager[None]:
    """See the accounts of staff, to sign them in, create and change them."""
    return enter_scope(Scope(STAFF))


def as_sign_in(firebase_uid: str) -> AbstractContextManager[None]:
    """See the one person of a verified Firebase UID, who may be created."""
    if not firebase_uid:
        raise ContextError("Signing in needs a Firebase UID.")
    return enter_scope(Scope(SIGN_IN, firebase_uid=firebase_uid))


def as_newcomer(user_id: UUID, firebase_uid: str) -> AbstractContextManager[None]:
    """See the one person of a verified Firebase UID, whose id is new, to create them and their first key."""
    return enter_scope(Scope(SIGN_IN, user_id=str(user_id), firebase_uid=firebase_uid))


def as_api_key(digest: bytes, *, firebase_uid: str = "") -> AbstractContextManager[None]:
    """See the one API key of a digest, and the person of the Firebase UID that it names."""
    if len(digest) != 32:
        raise ContextError("Signing in with an API key needs its digest, 32 bytes.")
    return enter_scope(Scope(SIGN_IN, firebase_uid=firebase_uid, api_key=digest.hex()))


def as_system() -> AbstractContextManager[None]:
    """See what the system works with: wrapped keys, jobs, the audit log. No sealed content."""
    return enter_scope(Scope(SYSTEM))


def current_scope() -> Scope:
    """Return the scope in effect."""
    return current_connection().scope or OUTSIDE


def require_user() -> UUID:
    """Return the id of the person whose scope this is. Raises ContextError outside as_user()."""
    scope = current_scope()
    if scope.role != USER:
        raise ContextError("This reads one person's rows: enter as_user() first.")
    return UUID(scope.user_id)


@contextmanager
def enter_scope(scope: Scope) -> Iterator[None]:
    """Put a scope in effect for the block.

    An error inside undoes everything since the outermost scope began. Code that catches it between an inner and an
    outer scope finds the transaction closed to further statements, never the inner role still in effect.
    """
    connection = current_connection()
    outer, inside_a_transaction = current_scope(), connection.in_atomic_block
    if scope == outer and inside_a_transaction:  # a verb inside a request of the same person
        connection.validate_no_broken_transaction()
        with transaction.atomic(savepoint=False):
            yield
        return
    try:
        with transaction.atomic(savepoint=outer is OUTSIDE):
            set_scope(scope)
            yield
            if scope.user_id and scope != outer and not connection.needs_rollback:
                revisions.require_recorded(UUID(scope.user_id))
            if inside_a_transaction and not connection.needs_rollback:
                set_scope(outer)
            note_scope(outer)  # before the commit: what runs on_commit is in no scope any more
    finally:
        note_scope(outer)
        if scope.user_id and scope != outer:
            revisions.discard(UUID(scope.user_id))


def set_scope(scope: Scope) -> None:
    """Set role and settings on the server until the transaction ends, so that no pooler hands them on.

    They are sent with the next statement; on Citus at once, in two texts, so that only the second reaches the shards.
    """
    connection = current_connection()
    if citus_nodes.known.away and scope.user_id:
        citus_nodes.require_present(scope.user_id)
    connection.hold(set_role_sql(scope.role), telling=True)
    connection.hold(*settings_sql(scope), telling=True)
    note_scope(scope)


def settings_sql(scope: Scope) -> tuple[str, list[str]]:
    """Return the statements that set whose rows a scope may see, the empty settings included, and their parameters.

    In a person's scope the planner may not read a table whole. For a person with a large share of the rows it would,
    and test each row against the policy: slower, and for a time that depends on other people.
    """
    values = {
        "vibe.user_id": scope.user_id,
        "vibe.firebase_uid": scope.firebase_uid,
        "vibe.api_key": scope.api_key,
    }
    told = [f"SET LOCAL {name} = {'%s' if value else repr('')}" for name, value in values.items()]
    text = "; ".join([*told, f"SET LOCAL enable_seqscan = {'off' if scope.role == USER else 'DEFAULT'}"])
    return text, [value for value in values.values() if value]


def query_in_scope(scope: Scope, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the rows of one statement that is run in a scope, in one round trip.

    PostgreSQL runs a text of several statements as one transaction. Inside a transaction, and on Citus, the scope is
    entered like any other.
    """
    connection = current_connection()
    if connection.in_atomic_block or distributed():
        with enter_scope(scope), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())
    settings, values = settings_sql(scope)
    with connection.cursor() as cursor:
        cursor.execute(f"{set_role_sql(scope.role)}; {settings}; {statement}", [*values, *parameters])
        while cursor.nextset():
            pass
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def note_scope(scope: Scope) -> None:
    """Remember on the connection which scope the server was given."""
    current_connection().scope = scope
