"""What answers under /api/."""

from __future__ import annotations

from typing import Any

from django.urls import path, re_path
from django.views.generic import RedirectView

from audit.middleware import no_personal_data
from vibe.api.instance import api
from vibe.api.net import nowhere

docs = no_personal_data(RedirectView.as_view(pattern_name="api:openapi-view"))
api_urls: list[Any] = [
    path("v1/", docs, name="api"),
    path("v1/", api.urls),
    re_path("", nowhere, name="nowhere"),
]
