"""What padding costs and leaves: sealed values padded to size classes of several smallest steps, and not at all.

Not at all is also without the dummy tokens that round a passage's number of words up.

    python -m benchmarks.padding [--conversations FILE] [--steps 1,64,128,256]

FILE is in the format of docs/import.md; without it, the sample. For each smallest step (1 is Padmé alone, 0 no padding)
in a fresh database: the distinct sizes of payloads, of all and of the person with most messages; bits that a size
tells of its message; bytes of a payload; and, after the stories of all conversations were built, bytes in the database
for each message, in all tables with their indexes and TOAST, also as a ratio to no padding.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.harness import show, throw_away_database
from stories.text import passages
from vibe.core.crypto import seal
from vibe.core.db.configured import embedded_server

SAMPLE = Path(__file__).resolve().parent.parent / "memories" / "sample" / "conversations.jsonl"
TABLES = ("users", "user_keys", "conversations", "encrypted_memories", "stories", "passages", "entities")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=Path, default=SAMPLE)
    parser.add_argument("--steps", default="1,64,128,256", help="smallest steps in bytes, divided by commas")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        use_step(options.one)
        with throw_away_database():
            show(measured(options.conversations))
        return
    found = {step: stage(step, options.conversations) for step in (0, *map(int, options.steps.split(",")))}
    for each in found.values():
        each["times_no_padding"] = each["bytes_a_message"] / found[0]["bytes_a_message"]
    show({"smallest_step": found})


def stage(step: int, conversations: Path) -> dict[str, Any]:
    """One step, in a process and a database of its own."""
    command = [sys.executable, "-m", "benchmarks.padding", "--conversations", conversations, "--one", str(step)]
    return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def use_step(step: int) -> None:
    """Pad by other classes than the product's, or not at all."""
    if step:
        seal.STEP = step  # type: ignore[misc]
    else:
        seal.size_class = lambda length: length
        passages.dummies_beside = lambda _: 0


def measured(conversations: Path) -> dict[str, Any]:
    """Figures of the step that is in use."""
    fill(conversations)
    with embedded_server().connect() as server:
        server.execute("VACUUM ANALYZE")
        sizes = server.execute("SELECT user_id, octet_length(payload) FROM encrypted_memories").fetchall()
        total, tables = server.execute(
            "SELECT sum(size), json_object_agg(name, size) FROM (SELECT name, pg_total_relation_size(name::regclass)"
            " AS size FROM unnest(%s::text[]) AS name) AS sized",
            [list(TABLES)],
        ).fetchone()
    most = Counter(user_id for user_id, _ in sizes).most_common(1)[0][0]
    own = Counter(size for user_id, size in sizes if user_id == most)
    counted = Counter(size for _, size in sizes)
    return {
        "messages": len(sizes),
        "distinct_sizes": len(counted),
        "bits": -sum(count / len(sizes) * math.log2(count / len(sizes)) for count in counted.values()),
        "of_one_person": {"messages": own.total(), "distinct_sizes": len(own), "once": [*own.values()].count(1)},
        "payload_bytes": sum(size for _, size in sizes) / len(sizes),
        "bytes_a_message": float(total / len(sizes)),
        "tables": {name: size / len(sizes) for name, size in tables.items()},
    }


def fill(conversations: Path) -> None:
    """Import everything and build the stories."""
    from audit.actors import Actor
    from memories.imports.services.files import FileImport
    from memories.models import Conversation
    from tests.building import build_all
    from vibe.core.db.scopes import as_system

    actor = Actor.system("benchmark")
    with conversations.open("rb") as source:
        FileImport(actor=actor, strict=True).run(source)
    with as_system():
        people = list(Conversation.objects.values_list("user_id", flat=True).distinct().order_by("user_id"))
    for user_id in people:
        build_all(user_id)


if __name__ == "__main__":
    main()
