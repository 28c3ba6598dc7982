"""Links between pages of the admin, built from ids alone without loading the rows."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import models
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

LINK = (
    '<a href="{}" class="text-primary-600 hover:text-primary-700 dark:text-primary-500 dark:hover:text-primary-400">'
    "{}</a>"
)


def page_url(model: type[models.Model], pk: Any) -> str:
    """Return the URL of the page of one row."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])


def list_url(model: type[models.Model], **matching: Any) -> str:
    """Return the URL of the list of a table, filtered."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{urlencode(matching)}" if matching else url


def page_link(model: type[models.Model], pk: Any, text: str = "") -> SafeString:
    """Return a link to the page of one row, with its shortened id unless a text is given."""
    return format_html(LINK, page_url(model, pk), text or short_id(pk))


def short_id(pk: Any) -> str:
    """Return the end of an id. UUIDv7 begins with the time, so rows of one import differ only at the end."""
    return f"…{str(pk)[-12:]}" if isinstance(pk, UUID) else str(pk)
