import gc
import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from vibe.core.errors import ConfigurationError
from vibe.metrics import shared
from vibe.serving import supervisor
from vibe.serving.preparing import prepare
from vibe.serving.supervisor import Supervisor
from vibe.serving.web import WebOptions, WebServer, adopt_listeners


def default_bind() -> str:
    """Return where to listen: as a platform says that sets PORT and forwards to it, else on this machine alone."""
    port: str = settings.PORT
    if port and not port.isdecimal():
        raise ConfigurationError("PORT is not a number. Set it to one, or give --bind.")
    return f"0.0.0.0:{port}" if port else "127.0.0.1:8000"


class Command(BaseCommand):
    help = "Serve: wait for the database, check, migrate, then run the web server and, with --worker, the worker too."
    requires_system_checks = ()  # run once the database answers

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--bind",
            default=default_bind(),
            help="HOST:PORT or unix:PATH (127.0.0.1:8000; 0.0.0.0:$PORT if that is set)",
        )
        parser.add_argument("--processes", type=int, default=1, help="web server processes (1)")
        parser.add_argument("--threads", type=int, default=8, help="requests each process answers at once (8)")
        parser.add_argument("--worker", action="store_true", help="run the worker beside it")
        parser.add_argument("--no-migrate", action="store_true", help="leave pending migrations alone")
        parser.add_argument("--prepared", action="store_true", help="serve at once: all the rest was done")

    def handle(self, *_: Any, **options: Any) -> None:
        web = WebOptions(options["bind"], options["processes"], options["threads"])
        server = None if options["worker"] else WebServer(web)
        if not options["prepared"]:
            shared.begin()
            prepare(migrate=settings.MIGRATE_AT_START and not options["no_migrate"], say=self.say)
        if server:
            adopt_listeners()
            server.run()
        gc.enable()
        needs = {"READY_NEEDS_WORKER": os.environ.get("READY_NEEDS_WORKER", "on")}
        children = [supervisor.web_server(web, **needs), supervisor.worker()]
        sys.exit(Supervisor(children, patience=settings.SHUTDOWN_SECONDS + 5).run())

    def say(self, text: str) -> None:
        self.stderr.write(text, ending="\n")
        self.stderr.flush()
