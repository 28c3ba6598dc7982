"""The settings, less what WITHOUT names: for a server in a process of its own that is to fail, as a control."""

from __future__ import annotations

import os

from vibe.settings import *  # noqa: F403

WITHOUT = os.environ["WITHOUT"]
if WITHOUT == "health checks":
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = False  # noqa: F405
elif WITHOUT == "an end of waiting":
    DATABASES["default"]["OPTIONS"]["pool"]["timeout"] = 3600.0  # noqa: F405
elif WITHOUT == "buffers":
    from vibe.serving import web

    web.WORKER = "gthread"
else:
    raise ValueError(f"Nothing is known of {WITHOUT}.")
