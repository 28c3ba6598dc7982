"""`serve --worker` restarted under load by SIGTERM and by SIGKILL: what becomes of acknowledged writes?

Eight clients write without pause, each request on a connection of its own: staff ask for a grant with a ticket that
is used once. The socket is kept open across restarts, as systemd keeps it, so a request may wait but is not refused.
After each restart every ticket that was acknowledged must be there once; a request that failed may be there or not,
never twice. Across SIGTERM no request may fail.
"""

from __future__ import annotations

import http.client
import itertools
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.harness import show, throw_away_database
from benchmarks.replicas import url
from tests.servers import Server, serving

TERMS, KILLS, CLIENTS = 200, 50, 8
BETWEEN_SECONDS = 0.4
PASSWORD = "correct horse battery"


@dataclass
class Written:
    """What the clients saw."""

    acknowledged: list[str] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Client(threading.Thread):
    """One member of staff who asks for grants until told to stop."""

    def __init__(self, number: int, port: int, page: str, written: Written, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.number, self.port, self.page, self.written, self.over = number, port, page, written, over
        self.cookies: dict[str, str] = {}
        self.sign_in()

    def sign_in(self) -> None:
        self.send("GET", "/admin/login/")
        form = {"username": f"staff{self.number}@example.com", "password": PASSWORD, "next": "/admin/"}
        outcome = self.send("POST", "/admin/login/", form)
        assert outcome == "302 /admin/", f"sign-in answered {outcome}"

    def run(self) -> None:
        for count in itertools.count():
            if self.over.is_set():
                return
            ticket, start = f"T{self.number}-{count}", time.monotonic()
            try:
                outcome = self.send("POST", self.page, {"reason": "measuring", "ticket": ticket, "hours": "1"})
            except (OSError, http.client.HTTPException) as problem:
                outcome = type(problem).__name__
            with self.written.lock:
                self.written.slowest = max(self.written.slowest, time.monotonic() - start)
                if outcome.startswith("302 /admin/accounts/accessgrant/"):
                    self.written.acknowledged.append(ticket)
                else:
                    self.written.failed[outcome] += 1
            time.sleep(0.02)

    def send(self, method: str, path: str, form: dict[str, str] | None = None) -> str:
        """One request on a connection of its own: its status, and where it leads."""
        headers = {"Connection": "close", "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        body = None
        if form is not None:
            body = urlencode({**form, "csrfmiddlewaretoken": self.cookies["csrftoken"]})
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            asked.request(method, path, body=body, headers=headers)
            answer = asked.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie", []):
                name, _, value = cookie.partition(";")[0].partition("=")
                if name != "messages":
                    self.cookies[name] = value
            answer.read()
            return f"{answer.status} {answer.headers.get('Location', '')}"
        finally:
            asked.close()


def main() -> None:
    terms, kills = (int(each) for each in (sys.argv[1:3] if len(sys.argv) > 2 else (TERMS, KILLS)))
    with throw_away_database() as folder:
        page = people()
        show(
            {
                "by_SIGTERM": under_load(terms, folder, page, "stop"),
                "by_SIGKILL": under_load(kills, folder, page, "kill"),
            }
        )


def people() -> str:
    """Staff who may ask, and the page where they ask for one person."""
    from django.conf import settings
    from django.urls import reverse

    from accounts.models import User
    from accounts.services import Profile, ensure_person
    from audit.actors import Actor

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    for number in range(CLIENTS):
        User.objects.create_superuser(f"staff{number}@example.com", PASSWORD)
    person = ensure_person(profile=Profile("measured"), actor=Actor.system("benchmark"))
    return reverse("admin:accounts_accessgrant_ask", args=[person])


def under_load(times: int, folder: Path, page: str, how: str) -> dict[str, Any]:
    """Restart so many times while the clients write."""
    written, over, back = Written(), threading.Event(), []
    options = {"SIGN_IN_FAILURES": "1000"}
    before = tickets()
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        with serving(url("vibe"), folder / "log", "--worker", listener=listener, **options) as server:
            server.wait_ready()
            clients = [Client(number, server.port, page, written, over) for number in range(CLIENTS)]
            for client in clients:
                client.start()
            for _ in range(times):
                time.sleep(BETWEEN_SECONDS)
                start = time.monotonic()
                end(server, how)
                server.__init__(url("vibe"), folder / "log", "--worker", listener=listener, **options)  # type: ignore[misc]
                server.wait_ready()
                back.append(time.monotonic() - start)
            over.set()
            for client in clients:
                client.join(90)
    there = tickets() - before
    return {
        "restarts": times,
        "acknowledged_writes": len(written.acknowledged),
        "acknowledged_and_lost": sum(ticket not in there for ticket in written.acknowledged),
        "written_twice": sum(count > 1 for count in there.values()),
        "failed_requests": dict(written.failed),
        "slowest_request_s": written.slowest,
        "back_in_s_median": sorted(back)[len(back) // 2],
        "back_in_s_slowest": max(back),
    }


def end(server: Server, how: str) -> None:
    """By SIGTERM, waited for; or by SIGKILL, everything at once."""
    if how == "stop":
        assert server.stop() == 0, server.said()
    else:
        server.kill()


def tickets() -> Counter[str]:
    """How often each ticket is in the database."""
    from accounts.models import AccessGrant
    from vibe.db.contexts import as_support

    with as_support():
        return Counter(AccessGrant.objects.values_list("ticket", flat=True))


if __name__ == "__main__":
    main()
