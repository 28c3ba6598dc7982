"""What answers under /api/."""

from __future__ import annotations

from typing import Any

from django.urls import path, re_path

from vibe.api.instance import api
from vibe.api.middleware import nowhere

api_urls: list[Any] = [
    path("v1/", api.urls),
    re_path("", nowhere, name="nowhere"),
]
