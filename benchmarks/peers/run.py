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

from benchmarks.peers import ours
from benchmarks.peers.environments import AUDITLOG, EASY_AUDIT, FERNET, STORES, Peer, python_of
from benchmarks.peers.task import QUESTIONS, Task, judged, make_task

HERE = Path(__file__).resolve().parent
OURS, OURS_WHOLE = "Vibe", "Vibe, whole search"


def everything(folder: Path, people: int, passages: int, only: list[str] | None) -> dict[str, Any]:
    """All figures of a run."""
    from django.conf import settings
    from pgvector.psycopg import register_vector

    from benchmarks.crowd import make_crowd
    from benchmarks.sealing import speed

    wanted = [peer for peer in STORES if only is None or any(part in peer.name for part in only)]
    pythons = {peer.name: python_of(peer) for peer in (*wanted, FERNET, AUDITLOG, EASY_AUDIT)}
    crowd = make_crowd(
        people, passages, questions=QUESTIONS, exact_up_to=settings.SEARCH_EXACT_UP_TO, quiet=not sys.stderr.isatty()
    )
    with settings.EMBEDDED_SERVER.connect() as server:
        register_vector(server)
        task = make_task(crowd, server)
    task.write(folder)
    number = {memory: at for at, memory in enumerate(task.ids)}
    found = ours.asked(ours.Vectors(crowd).search, task.asked, task.askers)
    found["found"] = [[number[memory] for memory in answer] for answer in found["found"]]
    stores = {OURS: {**ours.ingest(), "buckets": judged(task, **found)}}
    search = ours.asked(ours.whole(crowd), task.asked, task.askers)
    stores[OURS_WHOLE] = {"buckets": times_only(judged(task, search["milliseconds"], [[] for _ in search["found"]]))}
    for peer in wanted:
        stores[peer.name] = store(peer, pythons[peer.name], task, folder)
    seal = speed()
    return {
        "date": date.today().isoformat(),  # noqa: DTZ011
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "people": len(crowd),
        "rows": len(task.vectors),
        "stores": stores,
        "sealing": {
            OURS: {"seal_per_second": seal["sealing"]["texts_a_second"]["vibe"],
                   "open_per_second": seal["opening"]["texts_a_second"]["vibe"],
                   "stored_bytes": seal["stored_bytes"]["vibe"]},
            "django-encrypted-model-fields": {
                "seal_per_second": seal["sealing"]["texts_a_second"]["encrypted_model_fields"],
                "open_per_second": seal["opening"]["texts_a_second"]["encrypted_model_fields"],
                "stored_bytes": seal["stored_bytes"]["encrypted_model_fields"]},
            FERNET.name: script(pythons[FERNET.name], "others/fernet_fields.py", str(folder), folder, {}),
        },
        "audit": {
            OURS: ours.audited(),
            **{peer.name: audit_package(peer, pythons[peer.name], folder) for peer in (AUDITLOG, EASY_AUDIT)},
        },
    }  # fmt: skip


def times_only(buckets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stories are not rows: the whole search has no recall in these terms."""
    return [{name: each[name] for name in ("size", "p50_ms", "p95_ms")} for each in buckets]


def store(peer: Peer, python: Path, task: Task, folder: Path) -> dict[str, Any]:
    """One of the others, from empty to judged."""
    place = folder / peer.script
    place.mkdir()
    environment = {"PEER_FOLDER": str(place)} | (empty_database(peer.script) if peer.database else {})
    result = script(python, f"stores/{peer.script}.py", str(folder), folder, environment)
    return {
        "bulk_rows_per_second": result["bulk_rows_per_second"],
        "single_rows_per_second": result["single_rows_per_second"],
        "buckets": judged(task, result["milliseconds"], result["found"]),
    }


def audit_package(peer: Peer, python: Path, folder: Path) -> dict[str, Any]:
    """What it adds to a change."""
    return script(python, "others/audited.py", peer.script, folder, empty_database(peer.script))


def empty_database(name: str) -> dict[str, str]:
    """Where a fresh database of the same server is."""
    from django.conf import settings

    from vibe.db.embedded import PORT, SUPERUSER

    server = settings.EMBEDDED_SERVER
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
