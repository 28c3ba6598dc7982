"""Rotation of the master key under load: 50 requests a second, the rotator killed again and again, the old key removed.

    python -m benchmarks.rotation [--values 100000] [--kills 20] [--rate 50]

Every request opens a person's keys, their name and one memory, and writes a row of the trail. A request that fails or
reads something else than it should is counted; both must be 0. Afterwards everything is opened under the new key alone.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from benchmarks.harness import show, throw_away_database

OLD, NEW = (hashlib.sha256(f"{name} of this measurement".encode()).hexdigest() for name in ("old", "new"))
THREADS, AT_ONCE = 8, 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=int, default=100_000, help="wrapped keys and names")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rate", type=int, default=50, help="requests a second")
    options = parser.parse_args()
    os.environ.update(ENCRYPTION_KEY=OLD, ENCRYPTION_KEYS_RETIRED="")
    with throw_away_database():
        result = measure(options.values // 2, options.kills, options.rate)
    show(result)
    sys.exit(bool(result["failed_requests"] or result["unreadable"] or result["left_under_the_old_key"]))


def measure(people: int, kills: int, rate: int) -> dict[str, Any]:
    from django.conf import settings
    from django.core.signals import setting_changed

    from accounts.keys.services.rotation import values_to_rewrap

    ids = crowd(people)
    settings.ENCRYPTION_KEY, settings.ENCRYPTION_KEYS_RETIRED = NEW, OLD
    setting_changed.send(None, setting="ENCRYPTION_KEY", value=NEW, enter=True)
    load = Load(ids, rate)
    with load:
        start = time.perf_counter()
        killed = kill_rotators(kills, values_to_rewrap() // (kills + 4))
        finish()
        seconds = time.perf_counter() - start
    settings.ENCRYPTION_KEYS_RETIRED = ""
    setting_changed.send(None, setting="ENCRYPTION_KEYS_RETIRED", value="", enter=True)
    return {
        "values": 2 * people,
        "rotators_killed": killed,
        "seconds": seconds,
        "requests": load.done["ok"] + load.done["failed"],
        "requests_a_second": (load.done["ok"] + load.done["failed"]) / seconds,
        "failed_requests": load.done["failed"],
        "left_under_the_old_key": values_to_rewrap(),
        "unreadable": sum(not opens(user_id, number) for number, user_id in enumerate(ids)),
    }


def crowd(people: int) -> list[UUID]:
    """So many people with a key and a name each, and one memory of every hundredth."""
    from django.db import connection

    from accounts.keys.master_key import key_address, ring
    from accounts.models import User, UserKey
    from accounts.people.services.people import Profile, ensure_person
    from audit.actors import Actor
    from vibe.core.crypto.fields import address_of
    from vibe.core.crypto.seal import KEY_BYTES
    from vibe.core.db.schema.owned import uuid7
    from vibe.core.db.statements import bulk

    ensure_person(profile=Profile("first"), actor=Actor.system("bench"))  # the way that others go, once
    ids = [uuid7() for _ in range(people)]
    keys = [UserKey(user_id=user_id, generation=1) for user_id in ids]
    tables = ("users", "user_keys")
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        for first in range(0, people, AT_ONCE):
            some = range(first, min(first + AT_ONCE, people))
            bulk.insert(
                "users",
                {
                    "id": ("uuid", [ids[at] for at in some]),
                    "firebase_uid": ("text", [f"uid-{at}" for at in some]),
                    "name": ("bytea", [named(ring(), address_of(User(pk=ids[at]), "name"), at) for at in some]),
                },
                same={
                    **dict.fromkeys(("email_verified", "is_staff", "is_superuser"), ("bool", False)),
                    "is_active": ("bool", True),
                    "password": ("text", "!"),
                    "updated_at": ("timestamptz", "2026-05-12T00:00Z"),
                },
            )
            bulk.insert(
                "user_keys",
                {
                    "id": ("uuid", [keys[at].pk for at in some]),
                    "user_id": ("uuid", [ids[at] for at in some]),
                    "wrapped": (
                        "bytea",
                        [ring().wrap(os.urandom(KEY_BYTES), key_address(keys[at])).ciphertext for at in some],
                    ),
                },
                same={"generation": ("int2", 1)},
            )
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        cursor.execute("ANALYZE users, user_keys")
    return ids


def named(ring: Any, address: Any, number: int) -> bytes:
    return ring.wrap_text(f"Name {number}", address).ciphertext


def opens(user_id: UUID, number: int) -> bool:
    """Whether a person's key and name open as they should."""
    from accounts.keys.services.data_keys import open_vault
    from accounts.models import User
    from accounts.people.services.people import open_name
    from vibe.core.crypto.seal import Address
    from vibe.core.db.scopes import as_user
    from vibe.core.errors import VibeError

    try:
        with as_user(user_id):
            vault = open_vault()
            here = Address("encrypted_memories", "payload", user_id, user_id)
            sound = vault.open(vault.seal("said", here), here) == "said"
            return sound and open_name(User.objects.only("pk", "name").get(pk=user_id)) == f"Name {number}"
    except VibeError:
        return False


class Load:
    """So many requests a second until the block ends."""

    def __init__(self, ids: list[UUID], rate: int) -> None:
        self.ids = ids
        self.rate = rate
        self.done: Counter[str] = Counter()
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(THREADS)

    def __enter__(self) -> Load:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()
        self._pool.shutdown()

    def _run(self) -> None:
        due = time.perf_counter()
        while not self._stop.is_set():
            self._pool.submit(self._request, random.randrange(len(self.ids)))
            due += 1 / self.rate
            time.sleep(max(0.0, due - time.perf_counter()))

    def _request(self, number: int) -> None:
        from django.db import transaction

        from audit.actors import Actor
        from audit.services import record

        try:
            with transaction.atomic():
                sound = opens(self.ids[number], number)
                record(actor=Actor.system("bench"), action="bench.read", subject=self.ids[number])
        except Exception as problem:
            print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
            sound = False
        self.done["ok" if sound else "failed"] += 1


def rotator() -> subprocess.Popen[bytes]:
    """`rotate_keys` in a process of its own, in small batches, so that it is killed in the middle of one."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "rotate_keys", "--batch", "200"],
        env={**os.environ, "ENCRYPTION_KEY": NEW, "ENCRYPTION_KEYS_RETIRED": OLD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def kill_rotators(kills: int, each: int) -> int:
    """Start one after the other, and kill each when it has done its share. How many were killed while at work."""
    from accounts.keys.services.rotation import values_to_rewrap

    killed = 0
    while killed < kills and (left := values_to_rewrap()) > each:
        process = rotator()
        while process.poll() is None and values_to_rewrap() > left - each * random.uniform(0.2, 1):
            time.sleep(0.02)
        if process.poll() is None:
            process.kill()
            killed += 1
        _, errors = process.communicate()
        if process.returncode > 0:
            raise RuntimeError(errors.decode()[-500:])
    return killed


def finish() -> None:
    """The last one runs to its end."""
    process = rotator()
    _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(errors.decode()[-500:])


if __name__ == "__main__":
    main()
