"""The command that serves the tools for agents."""

from __future__ import annotations

from typing import Any

import uvicorn
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.management.naming import WHO, named_person
from vibe.mcp import stdio, web
from vibe.mcp.connections import Connection
from vibe.mcp.tools import server


class Command(BaseCommand):
    help = (
        "Serve the tools for agents (Model Context Protocol): over stdio for one person, or over HTTP. See docs/mcp.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group(required=True)
        how.add_argument("--user", metavar="WHO", help=f"over stdio, for this person: {WHO}")
        how.add_argument("--http", metavar="ADDRESS:PORT", help="over HTTP, for whoever signs in")

    def handle(self, *_: Any, user: str | None, http: str | None, **__: Any) -> None:
        if http:
            serve(http)
            return
        server(stdio.only(named_person(str(user)))).run("stdio")


def serve(bind: str) -> None:
    """Serve over HTTP until stopped. Client addresses are determined by us, not by uvicorn."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isdecimal():
        raise CommandError("--http takes an address and a port, such as 127.0.0.1:8001.")
    uvicorn.run(
        web.app(),
        host=host.strip("[]"),
        port=int(port),
        http=Connection,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
