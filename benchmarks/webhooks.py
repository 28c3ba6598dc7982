"""A thousand webhooks to a receiver that fails a third of the requests; and what one that is due costs among many.

    python -m benchmarks.webhooks

The receiver is in a thread of this process. By chance it answers a third of the requests with 500 or 429, or hangs up.
Between rounds the times of the next tries are set to now: nothing is waited for. Counted is what the receiver got,
against the records: a delivery came as often as the record says that it was tried, and was taken once or given up.

The cost is that of the two statements that find what is due, with so many others waiting, in blocks and milliseconds.
"""

from __future__ import annotations

import json
import random
import socket
import statistics
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from benchmarks.harness import throw_away_database

COUNT, WAITING, TIMES = 1_000, (100, 100_000), 50
FAILS: Final = 1 / 3
MAKE_DUE = (
    "UPDATE webhook_deliveries SET next_try_at = statement_timestamp() WHERE state = 'waiting'",
    "UPDATE webhook_endpoints SET resting_until = statement_timestamp()",
)
ADD = (
    "INSERT INTO webhook_deliveries (id, endpoint, event, person, resource, next_try_at) SELECT gen_random_uuid(), %s, "
    "'story.built', %s, gen_random_uuid(), now() + interval '1 day' FROM generate_series(1, %s)"
)


def as_system_run(*statements: tuple[str, list[Any]]) -> None:
    """Run statements in the system's role."""
    from django.db import connection

    from vibe.core.db.scopes import as_system

    with as_system(), connection.cursor() as cursor:
        for statement, given in statements:
            cursor.execute(statement, given)


def deliver(user_id: UUID, count: int, *, fails: float = FAILS, seed: int = 1) -> dict[str, Any]:
    """Have so many events delivered, and return what came of them. WEBHOOK_NETWORKS has to hold 127.0.0.1."""
    from accounts.api_keys.services import make_api_key
    from accounts.models import WebhookDelivery
    from accounts.models.webhooks import STORY_BUILT
    from accounts.webhooks import outbox
    from accounts.webhooks.services.delivering import deliver_due
    from accounts.webhooks.services.endpoints import make_webhook
    from audit.actors import Actor
    from tests.receivers import Receiver, receiving
    from vibe.core.db.schema.owned import uuid7
    from vibe.core.db.scopes import as_system, as_user

    chance, taken, actor = random.Random(seed), [], Actor.system("benchmark")

    def answer(got: Any, handler: Any) -> int | None:
        if chance.random() >= fails:
            taken.append(got.id)
            return 204
        kind = chance.choice((500, 429, None))
        if kind is None:
            with suppress(OSError):
                handler.connection.shutdown(socket.SHUT_RDWR)
        return kind

    with receiving(Receiver(answer)) as receiver:
        key, _ = make_api_key(name="b", scopes={"read"}, lasts=timedelta(days=1), actor=actor)
        hook, _ = make_webhook(api_key=key, url=receiver.url, events=[STORY_BUILT], actor=actor)
        with as_user(user_id):
            for _ in range(count):
                outbox.tell(event=STORY_BUILT, user_id=user_id, resource=uuid7())
        began, rounds = time.perf_counter(), 0
        while True:
            rounds += 1
            deliver_due(actor=actor, seconds=600)
            with as_system():
                mine = WebhookDelivery.objects.filter(endpoint=hook.pk)
                left = mine.filter(state="waiting").count()
            if not left:
                break
            as_system_run(*((statement, []) for statement in MAKE_DUE))
        seconds = time.perf_counter() - began
        with as_system():
            rows = list(WebhookDelivery.objects.filter(endpoint=hook.pk))
        times = receiver.times
    delivered = {str(row.pk) for row in rows if row.state == "delivered"}
    return {
        "events": count,
        "requests": sum(times.values()),
        "delivered": len(delivered),
        "given up, with a record": sum(row.state == "given up" and bool(row.failure) for row in rows),
        "lost": count - len(rows) + sum(row.state == "waiting" for row in rows),
        "taken more than once": len(taken) - len(set(taken)),
        "delivered by the record, not taken": len(delivered - set(taken)),
        "sent other than the record says": sum(times[str(row.pk)] != row.tries for row in rows),
        "most tries": max(row.tries for row in rows),
        "rounds": rounds,
        "requests a second": round(sum(times.values()) / seconds),
    }


def cost(user_id: UUID, waiting: int) -> dict[str, Any]:
    """Return what it costs to find one delivery that is due while others wait."""
    from django.db import connection

    from accounts.api_keys.services import make_api_key
    from accounts.models.webhooks import STORY_BUILT
    from accounts.webhooks import outbox
    from accounts.webhooks.services import delivering
    from accounts.webhooks.services.endpoints import make_webhook
    from audit.actors import Actor
    from vibe.core.db.schema.owned import uuid7
    from vibe.core.db.scopes import as_system, as_user

    actor = Actor.system("benchmark")
    key, _ = make_api_key(name="c", scopes={"read"}, lasts=timedelta(days=1), actor=actor)
    hook, _ = make_webhook(api_key=key, url="https://app.example/", events=[STORY_BUILT], actor=actor)
    as_system_run((ADD, [hook.pk, user_id, waiting]))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE webhook_deliveries")
    took, blocks = [], []
    for _ in range(TIMES):
        with as_user(user_id):
            outbox.tell(event=STORY_BUILT, user_id=user_id, resource=uuid7())
        as_system_run(("UPDATE webhook_endpoints SET resting_until = statement_timestamp()", []))
        milliseconds, touched = 0.0, 0
        for statement, given in (
            (delivering.TAKE_ENDPOINT, [delivering.LEASE]),
            (delivering.TAKE_DELIVERY, [1.0, [60.0], 1, hook.pk]),
        ):
            with as_system(), connection.cursor() as cursor:
                text = statement.replace("%b", "%s")
                cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + text, given)
                plan = cursor.fetchone()[0][0]
            milliseconds += plan["Planning Time"] + plan["Execution Time"]
            touched += plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
        took.append(milliseconds)
        blocks.append(touched)
    as_system_run(("DELETE FROM webhook_endpoints WHERE id = %s", [hook.pk]))
    return {"waiting": waiting, "ms": round(statistics.median(took), 2), "blocks": round(statistics.median(blocks))}


def main() -> None:
    with throw_away_database():
        from django.test import override_settings

        from accounts.people.services.people import Profile, ensure_person
        from audit.actors import Actor

        ada = ensure_person(profile=Profile("ada"), actor=Actor.system("benchmark"))
        with override_settings(WEBHOOK_NETWORKS=["127.0.0.1/32"]):
            found = {"deliveries": deliver(ada, COUNT), "one that is due": [cost(ada, waiting) for waiting in WAITING]}
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
