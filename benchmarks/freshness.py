"""What it costs that the trail names every row sealed anew, and how long comparing rows with it takes.

    python -m benchmarks.freshness [--rows 20000]

One memory changed and recorded, with and without naming it, in turns; then rows and trail compared.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from benchmarks.harness import show, throw_away_database


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    with throw_away_database():
        show(measure(options.rows))


def measure(rows: int, turns: int = 400) -> dict[str, Any]:
    from datetime import UTC, datetime

    from accounts.keys.services.data_keys import open_vault
    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor
    from audit.proof.freshness import require_fresh
    from audit.services import record
    from memories.imports.lines import ConversationLine, Message
    from memories.imports.services.conversations import import_conversations
    from memories.models import Memory
    from memories.payload import Payload
    from vibe.core.db.scopes import as_user
    from vibe.core.db.statements import revisions

    actor, at = Actor.system("bench"), datetime(2026, 5, 12, tzinfo=UTC)
    profile = Profile("bench")
    user_id = ensure_person(profile=profile, actor=actor)
    messages = tuple(Message(f"m{number}", Payload("I", f"Message {number}."), at) for number in range(rows))
    import_conversations(
        user_id=user_id, lines=[ConversationLine(1, profile, "c", None, None, at, messages)], actor=actor
    )

    def change(some: list[Memory]) -> None:
        with as_user(user_id):
            given = [(row.pk, row.revision + 1, "Something else.") for row in some]
            for row, sealed in zip(some, open_vault().seal_all("encrypted_memories", "payload", given), strict=True):
                row.revision, row.payload = row.revision + 1, sealed
            Memory.objects.of(user_id).bulk_update(some, ["revision", "payload"])
            record(actor=actor, action="memory.change", subject=user_id, resource="encrypted_memories")

    with as_user(user_id):
        there = list(Memory.objects.of(user_id))
    naming, taken = revisions.note_sealed, {"named": [], "unnamed": []}
    for turn in range(2 * turns):
        kind = ("named", "unnamed")[turn % 2]
        revisions.note_sealed = naming if kind == "named" else lambda *_: None
        start = time.perf_counter()
        change([there[turn % rows]])
        taken[kind].append(1000 * (time.perf_counter() - start))
    revisions.note_sealed = naming
    for first in range(0, rows, 1000):
        change(there[first : first + 1000])
    start = time.perf_counter()
    require_fresh()
    medians = {kind: statistics.median(times) for kind, times in taken.items()}
    return {
        "change_one_ms": medians,
        "ratio": medians["named"] / medians["unnamed"],
        "rows_named_in_the_trail": rows,
        "comparing_seconds": time.perf_counter() - start,
    }


if __name__ == "__main__":
    main()
