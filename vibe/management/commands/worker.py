import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from procrastinate.contrib.django import app

from accounts.keys.master_key import require_fitting_key
from vibe.core.db.job_classes.classes import CLASSES, chosen
from vibe.serving.preparing import wait_for_database
from vibe.serving.worker import work


class Command(BaseCommand):
    help = "Do the jobs: each class of work in slots of its own (WORKER_SLOTS), in one process."
    requires_system_checks = ()  # run once the database answers

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--classes", default="", help=f"only these, with commas between: {', '.join(CLASSES)}")
        parser.add_argument("--one-shot", action="store_true", help="end when no job is due any more")

    def handle(self, *_: Any, **options: Any) -> None:
        slots = chosen(options["classes"])
        wait_for_database(seconds=settings.DATABASE_WAIT_SECONDS, say=self.stderr.write)
        require_fitting_key()
        self.check()
        with app.replace_connector(app.connector.get_worker_connector()) as worker:  # type: ignore[attr-defined]
            asyncio.run(work(worker, slots, wait=not options["one_shot"]))
