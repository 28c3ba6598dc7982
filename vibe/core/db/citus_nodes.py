"""Workers of a Citus cluster that do not answer, so that nobody waits but for them, and their people not for long.

Citus waits for a worker as long as that takes, and where it is frozen even a time limit on the statement ends in a
wait: libpq's request to cancel has none. So a statement that takes PATIENCE asks, over a connection of its own, whether
each worker can be connected to. If not, it is given up with its connection, and whoever has rows on that worker is
refused at once until it answers again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

from vibe.core.db.errors import NodeAway

PATIENCE: Final = 0.7  # seconds that a statement takes before the workers are asked
LONGEST: Final = 5.0  # the same while a worker is away, for people of others: accounts are on each worker
ANSWER: Final = 500  # milliseconds that a worker has to accept a connection
REST: Final = 5.0  # seconds for which a worker that did not answer is not asked
AGAIN: Final = 1.0  # the same while all answered

Node = tuple[str, int]
WORKERS = "SELECT nodename, nodeport FROM pg_dist_node WHERE isactive AND noderole = 'primary' AND groupid <> 0"
ANSWERS = "SELECT citus_check_connection_to_node(%s, %s)"
HOLDS = """
SELECT nodename, nodeport FROM pg_dist_shard_placement
WHERE shardid = get_shard_id_for_distribution_column('user_keys', %s::uuid)
"""


@dataclass(slots=True)
class Known:
    """What this process knows of the workers."""

    away: frozenset[Node] = frozenset()
    asked_at: float = float("-inf")
    people: dict[str, Node] = field(default_factory=dict)
    asking: threading.Lock = field(default_factory=threading.Lock)


known = Known()


def away() -> frozenset[Node]:
    """Return the workers that do not answer; none where there is no cluster, or no coordinator.

    One thread asks at a time; the others go by what was known before.
    """
    if time.monotonic() - known.asked_at > (REST if known.away else AGAIN) and known.asking.acquire(blocking=False):
        try:
            with coordinator() as session:
                nodes = session.execute(WORKERS).fetchall()
                known.away = frozenset(node for node in nodes if session.execute(ANSWERS, node).fetchone() != (True,))
        except psycopg.Error:
            known.away = frozenset()
        finally:
            known.people, known.asked_at = {}, time.monotonic()
            known.asking.release()
    return known.away


def some_away() -> bool:
    """Return whether a worker that was away still is. While none is, that costs nothing."""
    return bool(known.away and away())


def coordinator() -> psycopg.Connection[Any]:
    """Connect to the coordinator, apart from the connection that waits."""
    parameters = connections[DEFAULT_DB_ALIAS].get_connection_params()
    session = psycopg.connect(**{**parameters, "cursor_factory": psycopg.ClientCursor}, autocommit=True)
    session.execute(f"SET citus.node_connection_timeout = {ANSWER}")
    return session


def require_present(user_id: str) -> None:
    """Raise NodeAway if the rows of a person, or with an empty id those of anybody, are on a worker that is away."""
    if not (nodes := away()):
        return
    if user_id and user_id not in known.people:
        with coordinator() as session:
            known.people[user_id] = session.execute(HOLDS, [user_id]).fetchone() or ("", 0)
    if not user_id or known.people[user_id] in nodes:
        raise NodeAway


def watched(connection: psycopg.Connection[Any]) -> Callable[..., Any]:
    """Return the `wait` of a connection to a cluster, which closes it and raises NodeAway rather than wait for one."""
    wait = connection.wait

    def watching(generator: Generator[Any, Any, Any], *arguments: Any, **options: Any) -> Any:
        return wait(given_up(generator), *arguments, **options)

    def given_up(generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        began, wrapper = time.monotonic(), connections[DEFAULT_DB_ALIAS]
        try:
            state = next(generator)
            while True:
                ready = yield state  # nothing is ready ten times a second
                if not ready and (waited := time.monotonic() - began) > PATIENCE:
                    scope = getattr(wrapper, "scope", None)
                    require_present(scope.user_id if scope and waited < LONGEST else "")
                state = generator.send(ready)
        except StopIteration as end:
            return end.value
        except NodeAway:
            connection.close()
            if wrapper.connection is connection:
                wrapper.close()
            raise

    return watching
