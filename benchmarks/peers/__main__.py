"""What people pick instead, installed and measured beside this product in one run, on the same vectors and machine.

    python -m benchmarks.peers [--people N --passages M] [--only NAME ...] [--json FILE] [--chart FILE.png]
        [--conversations FILE ... --questions FILE]

What people say and ask is taken from the files, as benchmarks.retrieval takes them, or made up. Each of the others gets
an environment of its own under .benchmarks/ and, where it wants PostgreSQL, an empty database of the same server. Every
store is given the vectors; none embeds. Prints a table; JSON with everything goes to FILE.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.harness import rounded, throw_away_database


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--only", nargs="*", help="names of peers, in full or in part; none of ours is left out")
    parser.add_argument("--conversations", type=Path, nargs="+", help="JSON Lines, as in docs/import.md")
    parser.add_argument("--questions", type=Path, help="JSON Lines with `question` and `category`")
    parser.add_argument("--json", type=Path, help="where to write everything")
    parser.add_argument("--chart", type=Path, help="where to draw recall against latency (PNG)")
    options = parser.parse_args()
    if bool(options.conversations) != bool(options.questions):
        parser.error("--conversations and --questions go together.")
    with throw_away_database() as folder:
        from benchmarks.peers.conversations import Conversations
        from benchmarks.peers.report import print_tables
        from benchmarks.peers.run import everything

        source = Conversations(options.conversations, options.questions) if options.conversations else None
        result = rounded(everything(folder, options.people, options.passages, options.only, source))
    print_tables(result, sys.stdout)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    if options.chart:
        from benchmarks.peers.chart import draw

        draw(result, options.chart)


if __name__ == "__main__":
    main()
