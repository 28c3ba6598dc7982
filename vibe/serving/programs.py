"""The programs that make up a running Vibe, as children of a supervisor: `serve --worker` and `run` start these."""

from __future__ import annotations

import os
import sys

from django.conf import settings

from vibe.serving.supervisor import Child
from vibe.serving.web import WebOptions

FIRST_LISTENER = 3  # systemd's numbering


def web_server(options: WebOptions, **environment: str) -> Child:
    """The web server alone: what precedes serving was done by who starts it."""
    return Child(
        "web server",
        [*manage(), "serve", "--prepared", *options.arguments()],
        environment={"DEBUG": "on" if settings.DEBUG else "off", **environment},
        pass_fds=handed_over(),
    )


def worker() -> Child:
    """The worker; it is started again when it ends."""
    environment = {"DEBUG": "on" if settings.DEBUG else "off"}
    return Child("worker", [*manage(), "procrastinate", "worker"], vital=False, environment=environment)


def manage() -> list[str]:
    """The command line of this installation."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py")]


def handed_over() -> tuple[int, ...]:
    """The sockets that systemd gave to this process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return ()
    return tuple(range(FIRST_LISTENER, FIRST_LISTENER + int(os.environ.get("LISTEN_FDS", "0"))))
