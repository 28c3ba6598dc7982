"""An environment for each of the others, made once into a folder that git ignores; versions as of the date below."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".benchmarks" / "peers"
AS_OF = "2026-11-22"


@dataclass(frozen=True, slots=True)
class Peer:
    """What is compared: what it is called, what is installed, which script runs in it."""

    name: str
    packages: tuple[str, ...]
    script: str
    database: bool = False
    """Whether it is given an empty database of the same server."""
    durable: str = "yes"
    """Whether what it has taken survives the power going, as it comes: it flushes each commit (seen by strace)."""


STORES = (
    # Right after ours, so that a machine that is busier by then does not decide.
    Peer("pgvector by hand", ("pgvector", "psycopg[binary]==3.3.*", "numpy"), "tuned_pgvector", True),
    Peer("mem0 (pgvector)", ("mem0ai==2.2.1", "psycopg[binary,pool]==3.3.*", "numpy"), "mem0_pgvector", True),
    Peer(
        "LangGraph PostgresStore",
        ("langgraph==1.2.22", "langgraph-checkpoint-postgres==3.2.0", "psycopg[binary,pool]==3.3.*", "numpy"),
        "langgraph_store",
        True,
    ),
    Peer("Chroma", ("chromadb==1.5.9", "numpy"), "chroma"),
    Peer("LanceDB", ("lancedb==0.40.0", "pyarrow", "numpy"), "lance", durable="no"),
    Peer("sqlite-vec", ("sqlite-vec==0.1.9", "apsw", "numpy"), "sqlite_vec_store"),
)
FERNET = Peer("django-fernet-encrypted-fields", ("Django==5.2.*", "django-fernet-encrypted-fields==0.4.0"), "")
AUDITLOG = Peer("django-auditlog", ("Django==5.2.*", "django-auditlog==3.4.1", "psycopg[binary]==3.3.*"), "auditlog")
EASY_AUDIT = Peer(
    "django-easy-audit", ("Django==5.2.*", "django-easy-audit==1.3.9", "psycopg[binary]==3.3.*"), "easyaudit"
)


def python_of(peer: Peer) -> Path:
    """The interpreter of a peer's environment, which is made if it is not there."""
    folder = FOLDER / peer.name.replace(" ", "-").replace("(", "").replace(")", "")
    python, made = folder / "bin" / "python", folder / ".made"
    wanted = "\n".join(peer.packages)
    if not (made.exists() and made.read_text() == wanted):
        print(f"Installing {peer.name} into {folder} ...", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--no-compile", *peer.packages], check=True)
        made.write_text(wanted)
    return python
