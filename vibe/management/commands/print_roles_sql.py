from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from vibe.core.db.provisioning import login_of, steps


class Command(BaseCommand):
    help = (
        "Print the SQL that the administrator of the database server of DATABASE_URL is to run once, in that database. "
        "Only what is missing is printed, and nothing is run (docs/managed-postgresql.md)."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--login", help="the role that Vibe logs in as; by default that of DATABASE_URL, or vibe")

    def handle(self, *_: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            login = options["login"] or login_of(cursor)
            found = list(steps(cursor, login))
            cursor.execute("SELECT current_database()")
            [database] = cursor.fetchone()
        if not found:
            self.stdout.write(f"-- Nothing is missing for role {login} in database {database}.")
            return
        self.stdout.write(f"-- For role {login}, in database {database}, as its administrator:")
        for step in found:
            optional = " Optional: where it is refused, go on." if step.optional else ""
            self.stdout.write(f"\n-- {step.why}{optional}")
            for statement in step.statements:
                self.stdout.write(f"{statement};")
