"""Runs everything: ours in this process, the others each in its own."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

from psycopg import sql

from benchmarks.crowd import Source
from benchmarks.peers import ours
from benchmarks.peers.environments import AUDITLOG, EASY_AUDIT, FERNET, STORES, Peer, python_of
from benchmarks.peers.task import QUESTIONS, Task, judged, make_task, times_only
from vibe.core.db.configured import embedded_server

HERE = Path(__file__).resolve().parent
STAGE, OPENED, WHOLE = "Vibe, the statement alone", "Vibe, opened and recorded", "Vibe, whole search"
BY_HAND, BY_HAND_WHOLE = "pgvector by hand", "pgvector by hand, with words"
AS_THOROUGH, BOTH_THOROUGH = ", leaving as little out", "the statement alone, both leaving as little out"


def everything(
    folder: Path, people: int, passages: int, only: list[str] | None, source: Source | None = None
) -> dict[str, Any]:
    """All figures of a run."""
    from django.conf import settings
    from pgvector.psycopg import register_vector

    from benchmarks.crowd import make_crowd
    from benchmarks.sealing import speed

    wanted = [peer for peer in STORES if only is None or any(part in peer.name for part in only)]
    pythons = {peer.name: python_of(peer) for peer in (*wanted, FERNET, AUDITLOG, EASY_AUDIT)}
    crowd = make_crowd(
        people,
        passages,
        questions=QUESTIONS,
        exact_up_to=settings.SEARCH_EXACT_UP_TO,
        quiet=not sys.stderr.isatty(),
        source=source,
    )
    with embedded_server().connect() as server:
        register_vector(server)
        task = make_task(crowd, server)
        ours_ = ours.NearestMemories(crowd, task, server)
    task.write(folder)
    stores: dict[str, Any] = {
        STAGE: {"buckets": judged(task, **ours.asked(ours_.stage, task))},
        OPENED: {**ours.ingest(), "durable": "yes", "buckets": judged(task, **ours.asked(ours_.opened, task))},
    }
    whole = {WHOLE: times_only(task, ours.asked(ours.whole(crowd), task)["milliseconds"])}
    for peer in wanted:
        stores[peer.name], result = store(peer, pythons[peer.name], task, folder)
        if thorough := result.get("thorough"):
            stores[peer.name + AS_THOROUGH] = {"buckets": judged(task, **thorough)}
        if with_words := result.get("with_words"):
            whole[BY_HAND_WHOLE] = times_only(task, with_words["milliseconds"])
    seal = speed()
    return {
        "date": date.today().isoformat(),  # noqa: DTZ011
        "machine": machine(),
        "vectors": "of real sentences" if source else "made up",
        "people": len(crowd),
        "rows": len(task.vectors),
        "stores": stores,
        "whole": whole,
        "behind": behind(stores, whole),
        "sealing": {
            "Vibe": {"seal_per_second": seal["sealing"]["texts_a_second"]["vibe"],
                   "open_per_second": seal["opening"]["texts_a_second"]["vibe"],
                   "stored_bytes": seal["stored_bytes"]["vibe"]},
            "django-encrypted-model-fields": {
                "seal_per_second": seal["sealing"]["texts_a_second"]["encrypted_model_fields"],
                "open_per_second": seal["opening"]["texts_a_second"]["encrypted_model_fields"],
                "stored_bytes": seal["stored_bytes"]["encrypted_model_fields"]},
            FERNET.name: script(pythons[FERNET.name], "others/fernet_fields.py", str(folder), folder, {}),
        },
        "audit": {
            "Vibe": ours.audited(),
            **{peer.name: audit_package(peer, pythons[peer.name], folder) for peer in (AUDITLOG, EASY_AUDIT)},
        },
    }  # fmt: skip


def machine() -> str:
    """Cores and memory, and the software that counts."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.machine()}, Python {platform.python_version()}"


def behind(stores: dict[str, Any], whole: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """How many times as long as pgvector by hand ours takes, like with like, by size."""
    pairs = {
        "the statement alone": (stores[STAGE]["buckets"], stores.get(BY_HAND, {}).get("buckets")),
        BOTH_THOROUGH: (stores[STAGE]["buckets"], stores.get(BY_HAND + AS_THOROUGH, {}).get("buckets")),
        "whole search": (whole[WHOLE], whole.get(BY_HAND_WHOLE)),
    }
    return {
        name: [
            {"size": own["size"], **{cut: own[cut] / theirs[cut] for cut in ("p50_ms", "p95_ms")}}
            for own, theirs in zip(mine, hand, strict=True)
        ]
        for name, (mine, hand) in pairs.items()
        if hand
    }


def store(peer: Peer, python: Path, task: Task, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """One of the others, from empty to judged; and all that it measured, for what only some can do."""
    place = folder / peer.script
    place.mkdir()
    environment = {"PEER_FOLDER": str(place)} | (empty_database(peer.script) if peer.database else {})
    result = script(python, f"stores/{peer.script}.py", str(folder), folder, environment)
    return {
        "bulk_rows_per_second": result["bulk_rows_per_second"],
        "single_rows_per_second": result["single_rows_per_second"],
        "durable": peer.durable,
        "buckets": judged(task, result["milliseconds"], result["found"]),
    }, result


def audit_package(peer: Peer, python: Path, folder: Path) -> dict[str, Any]:
    """What it adds to a change."""
    return script(python, "others/audited.py", peer.script, folder, empty_database(peer.script))


def empty_database(name: str) -> dict[str, str]:
    """Where a fresh database of the same server is."""

    from vibe.core.db.embedded.server import PORT, SUPERUSER

    server = embedded_server()
    with server.connect("postgres") as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    host = str(server.sockets)
    return {
        "PEER_DSN": f"postgresql://{SUPERUSER}@/{name}?host={host}&port={PORT}",
        "PEER_HOST": host,
        "PEER_PORT": str(PORT),
    }


def script(python: Path, name: str, argument: str, folder: Path, environment: dict[str, str]) -> Any:
    """Run a script of another environment and read what it wrote."""
    result = folder / "result.json"
    result.unlink(missing_ok=True)
    print(f"{name} {argument if name.startswith('others/aud') else ''}".rstrip(), file=sys.stderr, flush=True)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("DJANGO_", "PYTHON", "VIBE_"))}
    subprocess.run(
        [str(python), str(HERE / name), argument, str(result)], check=True, env=clean | environment, cwd=folder,
        stdout=sys.stderr,
    )  # fmt: skip
    return json.loads(result.read_text())
