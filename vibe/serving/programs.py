"""The programs that make up a running Vibe, as children of a supervisor: `serve --worker` and `run` start these."""

from __future__ import annotations

import os
import sys

from django.conf import settings

from vibe.serving.supervisor import Child
from vibe.serving.web import WebOptions

FIRST_LISTENER = 3  # systemd's numbering


def web_server(options: WebOptions, **environment: str) -> Child:
    """Return the web server alone; its parent has run the steps before serving."""
    return Child(
        "web server",
        [*manage(), "serve", "--prepared", *options.arguments()],
        environment={"DEBUG": "on" if settings.DEBUG else "off", **environment},
        pass_fds=handed_over(),
    )


def worker(**environment: str) -> Child:
    """Return the worker of all classes of work, which is restarted when it ends."""
    environment = {"DEBUG": "on" if settings.DEBUG else "off", **environment}
    return Child("worker", [*manage(), "worker"], vital=False, environment=environment)


def manage() -> list[str]:
    """Return the command line of manage.py of this installation."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py")]


def handed_over() -> tuple[int, ...]:
    """Return the file descriptors of the sockets that systemd passed to this process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return ()
    return tuple(range(FIRST_LISTENER, FIRST_LISTENER + int(os.environ.get("LISTEN_FDS", "0"))))
