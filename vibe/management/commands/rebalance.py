from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from vibe.backup.server import configured
from vibe.core.db.errors import DatabaseNotReady
from vibe.core.db.scale.distribution.rebalancing import Move, moves, rebalance
from vibe.core.db.statements.batching import distributed

EVEN = "Nothing to move: the workers hold about the same."


class Command(BaseCommand):
    help = (
        "Spread people's rows evenly over the workers of a Citus cluster. The rows of each shard are counted on both "
        "workers before it leaves the first. BACKUP_DATABASE_URL names the role that moves them: see docs/scaling.md."
    )

    def add_arguments(self, parser: Any) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--plan", action="store_true", help="say what would move; the default")
        what.add_argument("--apply", action="store_true", help="move it; runs again after an interruption")

    def handle(self, *_: Any, **options: Any) -> None:
        if not distributed():
            raise CommandError("People's rows are on no shards. See: manage.py distribute")
        try:
            with configured().connect(connection.settings_dict["NAME"]) as admin:
                if options["apply"]:
                    done = rebalance(admin, on_move=self.show)
                    self.stdout.write(f"{done} shards moved." if done else EVEN)
                else:
                    due = moves(admin)
                    for move in due:
                        self.stdout.write(line(move))
                    self.stdout.write(f"{len(due)} shards to move: rebalance --apply" if due else EVEN)
        except DatabaseNotReady as problem:
            raise CommandError(str(problem)) from None

    def show(self, move: Move, rows: int, left: int) -> None:
        self.stdout.write(f"{line(move)}: {rows:,} rows, {left} left")


def line(move: Move) -> str:
    return "shard {}, {}:{} → {}:{}".format(move.shard, *move.source, *move.target)
