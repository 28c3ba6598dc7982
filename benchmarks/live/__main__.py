"""Live memory: what one message costs and when it is found, in conversations of any length and beside anything else.

    python -m benchmarks.live [--part NAME ...] [--short] [--data FOLDER] [--before CHECKOUT] [--json FILE]

Everything goes over HTTP to `serve` with gunicorn, beside the worker and a PostgreSQL of its own, with DEBUG off and an
API key, as a companion's server does it. Parts, all of them by default:

    grow     conversations of 10 to 100,000 messages, one more at a time: cost, time, found by the next search
    peers    the same beside pgvector with text search by hand and mem0 without an LLM, on the same model
    bot      adds, searches, replies, 300 turns; when the stories of closed episodes are there
    crowd    twenty people beside one who adds ten a second and one who imports 50,000; adding beside bulk jobs
    tokens   what a service that tells stories is sent, against what was said
    joined   LoCoMo with each person's conversations joined into one: recall, and where episodes begin
    storage  bytes a message
    kills    kill -9 of everything while memories are added

`--short` takes minutes and shows that it works; its figures mean little. `--data` is a folder with
LoCoMo as conversations.jsonl and questions.jsonl (docs/import.md, docs/search.md); without it texts are made up and
`joined` is left out. `--before` is a checkout of an earlier state: `grow` measures it in turns with this one.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness import rounded
from benchmarks.live import bot, crowd, grow, joined, kills, peers, storage, tokens
from benchmarks.live.options import Options, note
from benchmarks.live.running import PROJECT, Cluster

Part = Callable[[Cluster, Options], dict[str, Any]]
PARTS: dict[str, Part] = {
    "grow": grow.measure,
    "peers": peers.measure,
    "bot": bot.measure,
    "crowd": crowd.measure,
    "tokens": tokens.measure,
    "joined": joined.measure,
    "storage": storage.measure,
    "kills": kills.measure,  # at last: it kills the server of all
}
LOCOMO = PROJECT.parent / "shared" / "data" / "locomo"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = {"sizes": "messages of a conversation in grow", "peer_sizes": "the same in peers"}
    single = {
        "probes": "messages added at each size", "limit": "seconds of one phase at a size", "turns": "of the bot",
        "people": "of the crowd", "talker": "messages that the crowd's talker has", "imported": "messages that one of "
        "the crowd imports", "crowd_seconds": "of the crowd, alone and beside others", "said": "messages of tokens",
        "patience": "seconds for which one of the crowd searches", "stored": "messages of storage",
        "kills": "how many", "idle_seconds": "for which idling is measured",
    }  # fmt: skip
    parser.add_argument("--part", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--short", action="store_true", help="small sizes, to see that it works")
    for name, what in numbers.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=sizes, help=f"{what}, divided by commas")
    for name, what in single.items():
        kind = type(getattr(Options(), name))
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=what)
    parser.add_argument("--data", type=Path, default=LOCOMO if LOCOMO.exists() else None, help="folder with LoCoMo")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier state, for grow")
    parser.add_argument("--no-mem0", action="store_true", help="leave mem0 out of peers: nothing is installed")
    parser.add_argument("--json", type=Path, help="where to write the result, too")
    given = parser.parse_args()
    options = Options().shortened() if given.short else Options()
    changed = {name: value for name in (*numbers, *single) if (value := getattr(given, name)) is not None}
    options = replace(options, **changed, data=given.data, before=given.before, mem0=not given.no_mem0)
    print(measured(given.part, options, given.json))


def sizes(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def measured(parts: list[str], options: Options, path: Path | None) -> str:
    """Each part on a database of its own; the JSON of all, written to the path after each."""
    result, text = {"of": described(options)}, "{}"
    with TemporaryDirectory(prefix="vibe-live-") as folder:
        cluster = Cluster(Path(folder), short=options.short)
        try:
            for name in (each for each in PARTS if each in parts):
                start = time.monotonic()
                note(name)
                result[name] = PARTS[name](cluster, options)
                result[name]["seconds"] = time.monotonic() - start
                text = json.dumps(rounded(result), indent=2)
                if path:
                    path.write_text(text + "\n")
        finally:
            cluster.stop()
    return text


def described(options: Options) -> dict[str, Any]:
    """Of what, when and where."""
    revision = ["git", "-C", str(PROJECT), "log", "-1", "--format=%h of %cI"]
    return {
        "revision": subprocess.run(revision, capture_output=True, text=True, check=False).stdout.strip(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "texts": "LoCoMo" if options.data else "made up",
        "short": options.short,
    }


if __name__ == "__main__":
    main()
