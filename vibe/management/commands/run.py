import os
import secrets
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from audit.actors import Actor
from memories.imports.services.files import FileImport
from vibe.core.db.scopes import as_staff, as_system
from vibe.metrics import shared
from vibe.serving import supervisor
from vibe.serving.preparing import apply_pending
from vibe.serving.supervisor import Supervisor
from vibe.serving.web import WebOptions

SAMPLE = settings.BASE_DIR / "memories" / "sample" / "conversations.jsonl"
STAFF: dict[str, dict[str, Any]] = {  # a superuser, and a member of staff with the role support
    "admin@example.com": {"is_superuser": True},
    "support@example.com": {"role": "support"},
}
SHUTDOWN_SECONDS = "10"  # who presses Ctrl-C waits for it
EXAMPLE = ("sample-teo", "What is the secret ingredient of the mole negro?")


class Command(BaseCommand):
    help = (
        "Run everything on this machine: database, migrations, sample, web server, worker. For development and trials."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--bind", default="127.0.0.1:8000", help="address and port (default: 127.0.0.1:8000)")
        parser.add_argument("--no-sample", action="store_true", help="start empty, without the sample people")

    def handle(self, *_: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("`run` is for development, and DEBUG is off. docs/operations.md says how to serve.")
        refuse_taken(options["bind"])
        apply_pending(self.stdout.write)
        if not options["no_sample"] and is_empty():
            self.load_sample()
        passwords = make_staff()
        self.greet(options["bind"], passwords)
        shared.begin()
        web = supervisor.web_server(WebOptions(options["bind"]), LOG_LEVEL=os.environ.get("LOG_LEVEL", "WARNING"))
        sys.exit(Supervisor([web, supervisor.worker(SHUTDOWN_SECONDS=SHUTDOWN_SECONDS)]).run())

    def load_sample(self) -> None:
        self.stdout.write("Importing the sample and telling its stories …")
        with SAMPLE.open("rb") as source:
            FileImport(actor=Actor.system("run"), strict=True).run(source)
        call_command("build_stories", stdout=self.stdout)

    def greet(self, bind: str, passwords: dict[str, str]) -> None:
        lines = [
            "",
            self.style.SUCCESS("Vibe is running.") + " Ctrl-C ends it, the database too.",
            "",
            f"  http://{bind}/         what is where",
            f"  http://{bind}/admin/   the admin",
        ]
        if passwords:
            lines += ["", "  Staff sign-ins, shown this once:"]
            lines += [f"    {email:<22} {password}" for email, password in passwords.items()]
        who, question = EXAMPLE
        lines += ["", "  Ask for a story, in a second terminal:"]
        lines += [f'    .venv/bin/python manage.py search_stories --user {who} "{question}"', ""]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def refuse_taken(bind: str) -> None:
    """Raise CommandError when the address cannot be bound."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isdecimal():
        raise CommandError("--bind takes an address and a port, such as 127.0.0.1:8000.")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except (OSError, OverflowError):
            raise CommandError(
                f"{bind} cannot be used: something serves there already. Try: --bind 127.0.0.1:8001"
            ) from None


def is_empty() -> bool:
    """Return whether there are no people yet."""
    with as_system():
        return not User.objects.filter(is_staff=False).exists()


def make_staff() -> dict[str, str]:
    """Create staff with random passwords, if there is none, and return the passwords, which are never shown again."""
    with as_staff():
        if User.objects.filter(is_staff=True).exists():
            return {}
    made = {}
    for email, rights in STAFF.items():
        made[email] = secrets.token_urlsafe(12)
        User.objects.create_user(email, made[email], **rights)
    return made
