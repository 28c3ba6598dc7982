import json
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from audit.actors import Actor
from audit.errors import AuditError
from audit.proof.checkpoint import SignedCheckpoint
from audit.proof.freshness import require_fresh, require_people
from audit.proof.inclusion import prove_inclusion
from audit.proof.keys import trail_keys
from audit.proof.verification import Proof, prove
from audit.sealing import witness
from audit.services import FAILED, OK, record
from vibe.core.errors import NotFound

ACTOR = Actor.system("verify_audit")


class Command(BaseCommand):
    help = "Prove the trail, and that no row is older than it says. Exit code 1, with the first bad row's name, if not."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--checkpoint", metavar="FILE", help="checkpoints kept elsewhere, or a log that holds them")
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.add_argument("--row", metavar="ID", type=UUID, help="prove that this row is in the trail, and only that")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            answer = self.one(options["row"]) if options["row"] else self.whole(options["checkpoint"])
        except (AuditError, NotFound) as problem:
            self.note(options["row"], FAILED, problem.code)
            if options["json"]:
                self.stdout.write(json.dumps(failure(problem)))
                raise SystemExit(1) from None
            raise CommandError(str(problem)) from None
        self.note(options["row"], OK)
        said = answer.pop("said")
        self.stdout.write(json.dumps({"sound": True, **answer}) if options["json"] else said)

    def one(self, row_id: UUID) -> dict[str, Any]:
        inclusion = prove_inclusion(row_id, trail_keys())
        number = inclusion.signed.checkpoint.number
        said = f"Row {row_id} is in the trail at position {inclusion.position:,}, under checkpoint {number:,}."
        return {**inclusion.to_json(), "said": said}

    def whole(self, path: str | None) -> dict[str, Any]:
        witnesses = witnesses_from(path)
        started = time.perf_counter()
        with tqdm(unit="rows", disable=None) as bar:
            proof = prove(trail_keys(), witnesses, progress=bar.update)
            tables = require_fresh()
            require_people()
        seconds = max(time.perf_counter() - started, 1e-6)
        return {
            **numbers(proof, seconds),
            "tables_compared": tables,
            "witnesses": len(witnesses),
            "said": sentence(proof, seconds, len(witnesses)),
        }

    def note(self, row_id: UUID | None, outcome: str, reason: str = "") -> None:
        resource = f"audit_logs/{row_id}" if row_id else "audit_logs"
        record(actor=ACTOR, action="audit.verify", resource=resource, outcome=outcome, reason=reason)


def witnesses_from(path: str | None) -> list[SignedCheckpoint]:
    """Read the checkpoints of the file given, which must exist, or of the configured one if it exists."""
    if path is None:
        file = witness.configured_file(settings.AUDIT_CHECKPOINT_FILE)
        if file is None or not file.path.exists():
            return []
        path = str(file.path)
    try:
        return witness.read_witnesses(Path(path))
    except OSError as problem:
        raise CommandError(f"{path}: {problem.strerror}.") from None


def numbers(proof: Proof, seconds: float) -> dict[str, Any]:
    """Return the result for programs."""
    return {
        "checkpoints": proof.checkpoints,
        "rows": proof.rows,
        "pruned": proof.pruned,
        "unsealed": proof.unsealed,
        "oldest_unsealed": proof.oldest_unsealed and proof.oldest_unsealed.isoformat(),
        "head": proof.head and proof.head.to_line(),
        "public_key": trail_keys().signing.public.hex(),
        "seconds": round(seconds, 3),
        "rows_per_second": round((proof.rows + proof.unsealed) / seconds),
    }


def sentence(proof: Proof, seconds: float, witnesses: int) -> str:
    """Return the result for people."""
    parts = [f"The trail holds: {proof.rows:,} rows under {proof.checkpoints:,} checkpoints in {seconds:,.1f} s."]
    if proof.pruned:
        parts.append(f"{proof.pruned:,} of them were pruned and are proved by their seals.")
    if proof.unsealed:
        parts.append(
            f"{proof.unsealed:,} more are not sealed yet, the oldest of {proof.oldest_unsealed:%Y-%m-%d %H:%M:%S}."
        )
    parts.append("No row of a person is older than the trail says, and nobody's are gone.")
    if not witnesses:
        parts.append("No checkpoint from outside was given, so a cut-off end would not show: use --checkpoint.")
    return " ".join(parts)


def failure(problem: AuditError | NotFound) -> dict[str, Any]:
    """Return what failed and where, for programs."""
    names = {"number": "checkpoint", "position": "position", "row_id": "row", "month": "month", "fault": "fault"}
    where = {name: getattr(problem, attribute, None) for attribute, name in names.items()}
    return {
        "sound": False,
        "code": problem.code,
        "message": str(problem),
        **{name: value if isinstance(value, int) else str(value) for name, value in where.items() if value is not None},
    }
