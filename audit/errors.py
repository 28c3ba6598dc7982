"""Errors of the audit log, apart from those of the database.

VibeError
├── ConfigurationError
│   ├── NetworkListInvalid    (also ValueError)  a setting with networks cannot be parsed
│   └── SigningKeyInvalid     (also ValueError)  a setting with a key cannot be parsed
└── AuditError
    ├── RowNotEncodable       (also ValueError)  a row holds a value that the recorder never writes
    ├── CheckpointMalformed   (also ValueError)  a text or a value is not a checkpoint
    ├── ChainBroken                              a checkpoint is well formed but wrong
    │   └── SigningKeyUnknown                    it was signed by a key that is not configured
    ├── BatchBroken                              a row contradicts a valid checkpoint
    ├── RowForged                                an unsealed row was not written by the recorder
    ├── RowPutBack                               a person's row is older than the audit log records
    ├── PruningBroken                            the rows missing from a month are not those that were pruned
    └── MonthKept             (also InputError)  a month may not be pruned yet
"""

from collections.abc import Iterable
from enum import StrEnum
from uuid import UUID

from vibe.core.errors import ConfigurationError, InputError, VibeError


class AuditError(VibeError):
    message = "The audit trail cannot do this."
    code = "audit-error"
    status = 500


class NetworkListInvalid(ConfigurationError, ValueError):
    message = "A list of networks has an entry that is no network."
    code = "audit-networks-invalid"


class SigningKeyInvalid(ConfigurationError, ValueError):
    message = (
        "AUDIT_SIGNING_KEY, AUDIT_SIGNING_KEYS_RETIRED or AUDIT_PUBLIC_KEYS_RETIRED holds a key that is not 64 hex "
        "digits. Make a signing key with: openssl rand -hex 32"
    )
    code = "audit-signing-key-invalid"


class RowNotEncodable(AuditError, ValueError):
    message = "An audit row holds a value that the recorder never writes."
    code = "audit-row-not-encodable"


class CheckpointMalformed(AuditError, ValueError):
    message = "This is not an audit checkpoint."
    code = "audit-checkpoint-malformed"


class Fault(StrEnum):
    """Why a checkpoint or a row is refused, as a stable code for programs."""

    SIGNATURE = "signature"  # the signature does not match the content
    UNKNOWN_KEY = "unknown-key"  # signed by a key that is not in the ring
    RETIRED_KEY = "retired-key"  # signed by a key that had already been replaced
    NUMBER = "number"  # a checkpoint is missing, repeated or out of order
    POSITION = "position"  # rows are skipped or covered twice
    LINK = "link"  # does not link to the previous checkpoint
    CUT = "cut"  # recorded outside the database, missing from the chain
    FORK = "fork"  # differs from the copy outside the database
    ROW_MISSING = "row-missing"  # the row was sealed and is missing
    ROW_ALTERED = "row-altered"  # the row or its stored leaf hash was changed
    SEAL_MISSING = "seal-missing"  # a position of the batch is missing, repeated or out of order
    ROW_FORGED = "row-forged"  # not sealed, and without a valid MAC of the recorder
    PEOPLE_LOST = "people-lost"  # accounts without any data key, where a shard or a table was lost
    ROW_PUT_BACK = "row-put-back"  # a person's row is older than the audit log records
    PRUNING = "pruning"  # rows are missing from a month without a signed statement
    ROOT = "root"  # rows and leaf hashes were both changed: the signed root does not match


class ChainBroken(AuditError):
    message = "The chain of audit checkpoints is broken."
    code = "audit-chain-broken"

    def __init__(self, number: int, fault: Fault) -> None:
        """Take the number of the first checkpoint at which the chain fails."""
        super().__init__(f"The chain of audit checkpoints breaks at number {number}: {fault.value}.")
        self.number = number
        self.fault = fault


class SigningKeyUnknown(ChainBroken):
    message = "A checkpoint was signed by a key that is not configured."
    code = "audit-signing-key-unknown"

    def __init__(self, number: int, key: bytes, configured: Iterable[bytes]) -> None:
        """Take the checkpoint's number, the id of its key and those of the configured keys."""
        super().__init__(number, Fault.UNKNOWN_KEY)
        held = ", ".join(sorted(each.hex() for each in configured))
        self.args = (
            f"{self} It was signed by key {key.hex()}, which is not configured (there is: {held}). Set "
            "AUDIT_SIGNING_KEY back to it. If it was replaced on purpose, put it into AUDIT_SIGNING_KEYS_RETIRED, "
            "or its public half into AUDIT_PUBLIC_KEYS_RETIRED.",
        )


class BatchBroken(AuditError):
    message = "Rows of the audit trail are not as they were sealed."
    code = "audit-batch-broken"

    def __init__(self, number: int, fault: Fault, *, position: int, row_id: UUID | None = None) -> None:
        """Take the checkpoint's number and the position of the first bad row; for Fault.ROOT, of the batch's first."""
        where = f"position {position}" if row_id is None else f"row {row_id} (position {position})"
        super().__init__(f"The audit trail fails under checkpoint {number} at {where}: {fault.value}.")
        self.number = number
        self.fault = fault
        self.position = position
        self.row_id = row_id


class RowForged(AuditError):
    message = "A row of the audit trail was not written by the recorder."
    code = "audit-row-forged"

    def __init__(self, row_id: UUID) -> None:
        super().__init__(f"Audit row {row_id} is not sealed and was not written by Vibe: {Fault.ROW_FORGED.value}.")
        self.row_id = row_id
        self.fault = Fault.ROW_FORGED


class RowPutBack(AuditError):
    message = "A person's row is older than the audit trail knows it."
    code = "audit-row-put-back"

    def __init__(self, table: str, row_id: UUID, why: str) -> None:
        super().__init__(f"An older copy of {table}/{row_id} was put back: {why}.")
        self.table = table
        self.row_id = row_id
        self.fault = Fault.ROW_PUT_BACK


class PeopleLost(AuditError):
    message = "There are people whose rows are gone."
    code = "audit-people-lost"

    def __init__(self, people: int, first: UUID) -> None:
        """Take how many, and one of their ids."""
        super().__init__(
            f"{people} people have an account and not even a destroyed data key, the first {first}: their rows are "
            "gone, and no erasure took them. Restore them from a backup."
        )
        self.row_id = first
        self.fault = Fault.PEOPLE_LOST


class PruningBroken(AuditError):
    message = "Rows are missing from the audit trail."
    code = "audit-pruning-broken"

    def __init__(self, month: str) -> None:
        """Take the month as text such as 2026-11."""
        super().__init__(f"The rows missing from {month} are not those that were pruned: {Fault.PRUNING.value}.")
        self.month = month
        self.fault = Fault.PRUNING


class MonthKept(AuditError, InputError):
    message = "This month of the audit trail is not to be pruned yet."
    code = "audit-month-kept"
    status = 400
