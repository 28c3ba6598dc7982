"""Scrubbing of what libraries log of a request: a URL or a host name can be content.

Nothing is lost: each request has a line of its own (`vibe.requests`), by the name of its route.
"""

from __future__ import annotations

import logging

from vibe.core.logs.request_id import request_id


class Scrubbed(logging.Filter):
    """A filter that adds the request id to a record and removes what a client chose."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id()
        told = scrubbed_message(record)
        if told:
            record.msg, record.args = told, ()
        return True


def scrubbed_message(record: logging.LogRecord) -> str:
    """Return the message to log instead; empty for one that can be logged as it is."""
    if record.name in ("django.request", "django.server"):
        return f"Answered {getattr(record, 'status_code', '')} at {route_name(getattr(record, 'request', None))}"
    if record.name.startswith(("django.security", "django.template")):
        return f"Refused or not found: {record.name.rpartition('.')[2]}"
    if record.name.startswith("gunicorn") and "request" in str(record.msg).lower():
        return "A request could not be handled."
    return ""


def route_name(request: object) -> str:
    """Return the name of the route of a request; never its path."""
    match = getattr(request, "resolver_match", None)
    return str(match.view_name) if match else "no route"
