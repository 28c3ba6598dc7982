"""How many stories a second two workers build, offline: episodes of 25 messages, the sweep and its jobs, the real path.

    python -m benchmarks.telling [--stories N] [--workers W] [--rounds R]

Each round imports and indexes new conversations, made of the sample's messages, each with words of its own, and starts
worker processes as `manage.py run` does; the minute of quiet is left out. The rate is counted from the moment when
every worker has built its first story (the model is loaded by then) until the last story is built. All rounds are
printed; `stories_a_second` is the best, since the others were disturbed. `cpu_seconds_a_story` is what a worker and its
child processes work for one: others change that less. `embedding_texts_a_second` is one process embedding the same
messages and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.harness import show, throw_away_database

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "memories" / "sample" / "conversations.jsonl"
MESSAGES_EACH, PEOPLE = 25, 4
START = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stories", type=int, default=80)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a worker has a core: threads of two would be in each other's way
    os.environ["STORY_QUIET_SECONDS"] = "0"
    with throw_away_database():
        texts = sample_texts()
        rounds = [measure(number, options.stories, options.workers, texts) for number in range(options.rounds)]
        show(
            {
                "messages_each": MESSAGES_EACH,
                "stories": options.stories,
                "workers": options.workers,
                "stories_a_second": max(each["stories_a_second"] for each in rounds),
                "cpu_seconds_a_story": min(each["cpu_seconds_a_story"] for each in rounds),
                "rounds": rounds,
                "embedding_texts_a_second": embedding_rate([text for _, text in texts][:400]),
            }
        )


def sample_texts() -> list[tuple[str, str]]:
    """Author and text of each message of the sample."""
    lines = map(json.loads, SAMPLE.read_text(encoding="utf-8").splitlines())
    return [(message["author"], message["text"]) for line in lines for message in line["messages"]]


def measure(number: int, stories: int, workers: int, texts: list[tuple[str, str]]) -> dict[str, float]:
    """The figures of one round."""
    people = [fill(f"round-{number}-{each}", stories // PEOPLE, texts) for each in range(PEOPLE)]
    command = [sys.executable, str(ROOT / "manage.py"), "worker", "--classes", "waited,stories"]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(workers)
    ]
    try:
        return watched(people, stories // PEOPLE * PEOPLE, [each.pid for each in running])
    finally:
        for each in running:
            each.terminate()
        for each in running:
            each.wait(60)


def fill(uid: str, stories: int, texts: list[tuple[str, str]]) -> Any:
    """A person with conversations whose stories are due."""
    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor
    from memories.imports.lines import ConversationLine, Message
    from memories.imports.services.conversations import import_conversations
    from memories.payload import Payload
    from stories.index.services import index_pending

    actor, profile = Actor.system("benchmark"), Profile(firebase_uid=uid, name="Ada Tavares")
    user_id = ensure_person(profile=profile, actor=actor)
    lines = []
    for story in range(stories):
        at = START + timedelta(days=story)
        said = [texts[(story * MESSAGES_EACH + turn) % len(texts)] for turn in range(MESSAGES_EACH)]
        messages = tuple(
            Message(f"m{turn}", Payload(author, f"{text} (number {story} of {uid})"), at + timedelta(minutes=turn))
            for turn, (author, text) in enumerate(said)
        )
        lines.append(ConversationLine(1, profile, f"c{story}", f"Number {story}", None, at, messages))
    import_conversations(user_id=user_id, lines=lines, actor=actor)
    index_pending(user_id=user_id, bulk_ones=True, actor=actor)
    return user_id


def watched(people: list[Any], stories: int, workers: list[int]) -> dict[str, float]:
    """Wait until all are built: the rate, and the workers' own work, from when every worker works."""
    from stories.models import Story
    from vibe.core.db.scopes import as_support

    deadline, begun = time.monotonic() + 600, (0, 0.0)
    while time.monotonic() < deadline:
        with as_support():
            built = list(
                Story.objects.filter(user_id__in=people, built_at__isnull=False)
                .order_by("built_at")
                .values_list("built_at", flat=True)
            )
        if not begun[0] and len(built) >= 4 * len(workers):  # by then each has built some
            begun = len(built), sum(map(cpu_seconds, workers))
        if len(built) >= stories:
            counted = stories - begun[0]
            return {
                "stories_a_second": counted / (built[-1] - built[begun[0] - 1]).total_seconds(),
                "cpu_seconds_a_story": (sum(map(cpu_seconds, workers)) - begun[1]) / counted,
            }
        time.sleep(0.2)
    raise SystemExit(f"Only {len(built)} of {stories} stories were built in ten minutes.")


def cpu_seconds(pid: int) -> float:
    """What a process and those below it have worked so far, in user mode and for it in the kernel (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    below = (each.read_text().split() for each in Path(f"/proc/{pid}/task").glob("*/children"))
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # with those below that have ended
    return own + sum(cpu_seconds(int(child)) for children in below for child in children)


def embedding_rate(texts: list[str]) -> float:
    """Texts a second, batched as a story batches them."""
    from stories.processors.configured import embed

    embed(texts[:MESSAGES_EACH])
    start = time.perf_counter()
    for at in range(0, len(texts), MESSAGES_EACH):
        embed(texts[at : at + MESSAGES_EACH])
    return len(texts) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
