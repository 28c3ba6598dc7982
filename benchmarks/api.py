"""Each operation of the API against the bare SQL of it, in one run, taking turns; and requests a second by gunicorn.

    python -m benchmarks.api [--rounds 200] [--seconds 5]

`operation` is a whole request inside the process: signing in by token, the limit, middleware, scope, keys, sealing or
opening, trail, JSON. `verb` is what the application does of it. What it is held against is told twice:

- `times_its_sql`: the very statements of the operation, BEGIN and COMMIT included, as one real request sent them, with
  their parameters (new ids in place of those it made), sent again over a bare psycopg connection. This is "the bare SQL
  of it", and what remains is Python: HTTP, JSON, sealing, signing in, the trail's authentication code.
- `times_one_statement`: one INSERT or SELECT of the same row on a connection that has taken role and person already,
  committed where it changes something: no sign-in, no limit, no keys, no trail, no job.

The target is 4 for adding a memory and for getting one. `statements` are round trips to the database, with COMMIT.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from benchmarks.harness import show, throw_away_database

SAID = {"author": "Ada", "text": "I moved to Lisbon last Friday, with Ines and the cat. " * 4}
PORT = 8765
UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="requests of each operation")
    parser.add_argument("--seconds", type=float, default=5.0, help="of requests to gunicorn, each kind")
    options = parser.parse_args()
    os.environ.update(API_LIMIT_PERSON="100000000/100000000", ALLOWED_HOSTS="*")
    with throw_away_database():
        show({"rounds": options.rounds, **operations(options.rounds), "gunicorn": served(options.seconds)})


def operations(rounds: int) -> dict[str, Any]:
    """Milliseconds (p50, p95) and statements of each operation, and how many times its bare SQL it takes."""
    person, calls, bare_statements = prepared()
    replays = {name: recorded(person, call) for name, call in calls.items()}
    timed = {**calls, **bare_statements, **{f"{name}: its SQL": replay for name, replay in replays.items()}}
    taken: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds):
        for name, call in timed.items():
            start = time.perf_counter()
            call()
            taken[name].append(1000 * (time.perf_counter() - start))
            if isinstance(call, Replay):
                call.tidy()
    half = {name: statistics.median(each) for name, each in taken.items()}
    figures = {
        name: {
            "p50": half[name],
            "p95": percentile(taken[name]),
            "statements": replay.count,
            "times_its_sql": half[name] / half[f"{name}: its SQL"],
        }
        for name, replay in replays.items()
    }
    one = {
        f"{name}: {part}": half[f"{name}: {part}"] / half[f"{name}: bare"]
        for name in ("add memory", "get memory")
        for part in ("operation", "verb")
    }
    return {"milliseconds": figures, "times_one_statement": one}


def percentile(values: list[float], share: float = 0.95) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


Sent = tuple[bool, Any, Any, dict[str, Any]]
"""Whether the driver wrote the values out, a statement, its parameters, and how it was run."""


class Replay:
    """What an operation sends to the database, sent again over a bare connection."""

    def __init__(self, person: UUID, statements: list[Sent], made: set[UUID]) -> None:
        self.person, self.statements, self.made, self.count = person, statements, made, len(statements)
        self.connection = bare_connection()
        self.fresh: dict[str, str] = {}
        self.tidy()

    def tidy(self) -> None:
        """Take away what cannot be opened under the ids it was given, and choose the next ones. Not timed."""
        from vibe.core.db.schema.owned import uuid7

        with self.connection.transaction():
            self.connection.execute("SET LOCAL ROLE vibe_user")
            self.connection.execute(f"SET LOCAL vibe.user_id = '{self.person}'")
            for table in ("encrypted_memories", "conversations"):
                self.connection.execute(
                    f"DELETE FROM {table} WHERE user_id = %s AND id = ANY(%s::uuid[])",
                    [self.person, list(self.fresh.values())],
                )
        self.fresh = {str(each): str(uuid7()) for each in self.made}

    def __call__(self) -> None:
        import psycopg

        for by_client, statement, given, more in self.statements:
            if statement is None:
                self.connection.commit()
                continue
            cursor = (psycopg.ClientCursor if by_client else psycopg.Cursor)(self.connection)
            cursor.execute(statement, renamed(given, self.fresh), **more)
            if cursor.description:
                cursor.fetchall()


def recorded(person: UUID, call: Callable[[], Any]) -> Replay:
    """The statements of one call, with their parameters; None stands for COMMIT."""
    import psycopg

    statements: list[Sent] = []
    execute, commit = psycopg.Cursor.execute, psycopg.Connection.commit

    def noting(self: Any, statement: Any, given: Any = None, **more: Any) -> Any:
        statements.append((isinstance(self, psycopg.ClientCursor), statement, given, more))
        return execute(self, statement, given, **more)

    def noting_commit(self: Any) -> None:
        statements.append((False, None, None, {}))
        commit(self)

    call()  # once unwatched, so that nothing is done for the first time
    since = int(time.time() * 1000)
    psycopg.Cursor.execute, psycopg.Connection.commit = noting, noting_commit  # type: ignore[method-assign]
    try:
        call()
    finally:
        psycopg.Cursor.execute, psycopg.Connection.commit = execute, commit  # type: ignore[method-assign]
    found = {UUID(text) for _, _, given, _ in statements for text in UUIDS.findall(repr(given))}
    return Replay(person, statements, {each for each in found if each.version == 7 and each.int >> 80 >= since})


def renamed(given: Any, fresh: dict[str, str]) -> Any:
    """Parameters with other ids in place of those that were made."""
    if isinstance(given, UUID):
        return UUID(fresh.get(str(given), str(given)))
    if isinstance(given, str):
        return fresh.get(given, given)
    if isinstance(given, list | tuple):
        parts = [renamed(each, fresh) for each in given]
        return type(given)(*parts) if hasattr(given, "_fields") else type(given)(parts)
    if isinstance(given, dict):
        return {name: renamed(each, fresh) for name, each in given.items()}
    return given


def bare_connection() -> Any:
    """In autocommit, with the adapters that the product's has."""
    import psycopg
    from django.db import connection

    from vibe.core.db.statements import bulk

    given = {name: value for name, value in connection.get_connection_params().items() if name != "cursor_factory"}
    bare = psycopg.connect(**given, autocommit=True)
    bulk.register_vectors(bare)
    return bare


def prepared() -> tuple[UUID, dict[str, Callable[[], Any]], dict[str, Callable[[], Any]]]:
    """Each operation as a call, on a person with a year of conversations; and two bare statements."""
    from django.test import Client

    from accounts.authentication import local_tokens
    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor
    from memories.payload import Payload
    from memories.reading import memory
    from memories.services.adding import NewMemory, add_memories
    from tests.building import build_conversation
    from vibe.core.db.scopes import as_user

    actor, client = Actor.system("benchmark"), Client()
    person = ensure_person(profile=Profile("ada", "ada@example.com", "Ada Tavares"), actor=actor)
    headers = {"authorization": f"Bearer {local_tokens.issue(uid='ada')}"}

    def ask(method: str, path: str, body: Any = None, **more: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in more.items()}
        response = client.generic(
            method,
            f"/api/v1{path}",
            b"" if body is None else json.dumps(body),
            "application/json",
            headers={**headers, **given},
        )
        assert response.status_code < 300, (method, path, response.content)
        return response.json() if response.content else None

    other = ask("POST", "/conversations", {"title": "Of what is inserted bare, and so cannot be opened"})["id"]
    for number in range(50):
        made = ask("POST", "/conversations", {"title": f"Conversation {number}"})["id"]
        batch = ask("POST", f"/conversations/{made}/memories/batch", {"memories": [SAID] * 20})["items"]
    build_conversation(person, UUID(made))
    story, said = ask("GET", "/stories")["items"][0]["id"], batch[0]["id"]
    memories, keys = f"/conversations/{made}/memories", itertools.count(time.time_ns())
    bare_insert, bare_select = bare(person, other, said)

    def add() -> None:
        add_memories(user_id=person, conversation_id=UUID(made), memories=[NewMemory(Payload(**SAID))], actor=actor)

    def get() -> None:
        with as_user(person):
            memory(person, UUID(said))

    def begin_and_delete() -> None:
        ask("DELETE", f"/conversations/{ask('POST', '/conversations', {'title': 'x'})['id']}")

    operations = {
        "add memory: operation": lambda: ask("POST", memories, SAID),
        "add memory: verb": add,
        "get memory: operation": lambda: ask("GET", f"/memories/{said}"),
        "get memory: verb": get,
        "add memory, with a key": lambda: ask("POST", memories, SAID, idempotency_key=str(next(keys))),
        "add 100 memories": lambda: ask("POST", f"{memories}/batch", {"memories": [SAID] * 100}),
        "list 50 memories": lambda: ask("GET", memories),
        "list 50 conversations": lambda: ask("GET", "/conversations"),
        "begin and delete a conversation": begin_and_delete,
        "change a memory": lambda: ask("PATCH", f"/memories/{said}", {"text": str(next(keys))}),
        "change a title": lambda: ask("PATCH", f"/conversations/{made}", {"title": str(next(keys))}),
        "who one is": lambda: ask("GET", "/me"),
        "read preferences": lambda: ask("GET", "/me/preferences"),
        "change preferences": lambda: ask("PATCH", "/me/preferences", {"n": next(keys)}),
        "50 rows of the access log": lambda: ask("GET", "/me/access-log"),
        "get a story": lambda: ask("GET", f"/stories/{story}"),
        "search": lambda: ask("POST", "/stories/search", {"question": "Where did I move?"}),
    }
    return person, operations, {"add memory: bare": bare_insert, "get memory: bare": bare_select}


def bare(person: Any, conversation: str, said: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """One INSERT, committed, and one SELECT, on a connection of their own that is in the person's scope for good."""
    from vibe.core.db.schema.owned import uuid7

    direct = bare_connection()
    direct.execute("SET ROLE vibe_user")
    direct.execute(f"SET vibe.user_id = '{person}'")
    sealed = os.urandom(len(json.dumps(SAID)) + 31)

    def insert() -> None:
        row_id = uuid7()
        direct.execute(
            "INSERT INTO encrypted_memories "
            "(id, user_id, conversation_id, message_ids, payload, occurred_at, revision) "
            "VALUES (%s, %s, %s, %s, %s, now(), 1)",
            [row_id, person, conversation, [str(row_id)], sealed],
        )

    def select() -> None:
        direct.execute("SELECT * FROM encrypted_memories WHERE user_id = %s AND id = %s", [person, said]).fetchone()

    return insert, select


def served(seconds: float) -> dict[str, float]:
    """Requests a second that gunicorn answers with two processes of four threads each, asked by eight at once."""
    from accounts.authentication import local_tokens

    header = {"Authorization": f"Bearer {local_tokens.issue(uid='ada')}", "Content-Type": "application/json"}
    address = f"http://127.0.0.1:{PORT}/api/v1"
    command = ["-m", "gunicorn", "vibe.wsgi", "--bind", f"127.0.0.1:{PORT}", "--workers", "2", "--threads", "4"]
    server = subprocess.Popen([sys.executable, *command, "--log-level", "error"], env={**os.environ, "DEBUG": "on"})
    try:
        made = first_answer(f"{address}/conversations", header)["items"][0]["id"]
        add = json.dumps(SAID).encode()
        said = asked(f"{address}/conversations/{made}/memories", header, add)["id"]
        return {
            "get memory": rate(lambda: asked(f"{address}/memories/{said}", header), seconds),
            "list 50 conversations": rate(lambda: asked(f"{address}/conversations", header), seconds),
            "add memory": rate(lambda: asked(f"{address}/conversations/{made}/memories", header, add), seconds),
        }
    finally:
        server.terminate()
        server.wait(30)


def asked(address: str, header: dict[str, str], body: bytes | None = None) -> Any:
    request = urllib.request.Request(address, body, header)  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def first_answer(address: str, header: dict[str, str]) -> Any:
    """Once the server is there."""
    for _ in range(100):
        try:
            return asked(address, header)
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("gunicorn did not come up")


def rate(ask: Callable[[], Any], seconds: float) -> float:
    """Answers a second to eight who ask at once. They share the two cores with the server."""
    until = time.perf_counter() + seconds

    def keep_asking(_: int) -> int:
        count = 0
        while time.perf_counter() < until:
            ask()
            count += 1
        return count

    start = time.perf_counter()
    with ThreadPoolExecutor(8) as people:
        return sum(people.map(keep_asking, range(8))) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
