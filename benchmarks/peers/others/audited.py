"""What a Django audit package adds to changing a row: a small app, saved with the package watching and without.

python audited.py auditlog|easyaudit RESULT.json
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.conf import settings

PACKAGE = sys.argv[1]
ROUNDS, SAVES = 10, 60
dsn = urlsplit(os.environ["PEER_DSN"])
settings.configure(
    SECRET_KEY=os.urandom(32).hex(),
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": dsn.path[1:],
            "USER": dsn.username,
            "HOST": os.environ["PEER_HOST"],
            "PORT": os.environ["PEER_PORT"],
        }
    },
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", PACKAGE],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DJANGO_EASY_AUDIT_WATCH_AUTH_EVENTS=False,
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402


class Watched(models.Model):
    title = models.TextField()

    class Meta:
        app_label = "auth"


class Unwatched(models.Model):
    title = models.TextField()

    class Meta:
        app_label = "auth"
        db_table = "unwatched"


call_command("migrate", verbosity=0)
with connection.schema_editor() as editor:
    editor.create_model(Watched)
    editor.create_model(Unwatched)
if PACKAGE == "auditlog":
    from auditlog.registry import auditlog

    auditlog.register(Watched)
else:
    from easyaudit.settings import UNREGISTERED_CLASSES
    from easyaudit.signals import model_signals

    UNREGISTERED_CLASSES.append(Unwatched)
    assert model_signals


def save(row: models.Model) -> float:
    start = time.perf_counter()
    with transaction.atomic():
        row.title = os.urandom(20).hex()
        row.save()
    return time.perf_counter() - start


rows = {name: model.objects.create(title="first") for name, model in (("with", Watched), ("without", Unwatched))}
times: dict[str, list[float]] = {name: [] for name in rows}
for _ in range(ROUNDS):
    for name, row in rows.items():
        times[name] += [save(row) for _ in range(SAVES)]
if PACKAGE == "auditlog":
    from auditlog.models import LogEntry as Entry
else:
    from easyaudit.models import CRUDEvent as Entry
medians = {name: statistics.median(each) * 1_000 for name, each in times.items()}
written = Entry.objects.count()
assert written >= ROUNDS * SAVES, "nothing was audited"
with_, without = medians["with"], medians["without"]
figures = {"ms_with": with_, "ms_without": without, "ms_added": with_ - without, "ratio": with_ / without}
Path(sys.argv[2]).write_text(json.dumps(figures))
