"""Export sections of this app: profile, preferences, grants, and the access log of the person's data.

An import restores only the preferences: docs/import.md gives the reasons.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Model

from accounts.export import import_readers, sections
from accounts.export.sections import Line, Page, Section, rows_after
from accounts.models import AccessGrant, User, UserPreferences
from accounts.people.services.people import open_name
from accounts.people.services.preferences import restore_preferences
from audit.models import AuditLog
from audit.reading.services import page
from vibe.core.crypto.vault import Vault
from vibe.core.db.paging import Position

TRAIL_PAGE = 200
OWN_ACT = "person"


def register_sections() -> None:
    """Register the sections, in the order of the archive."""
    sections.add(Section("profile", lambda _: 1, profile))
    for name, model, line in (
        ("preferences", UserPreferences, preferences_line),
        ("grants", AccessGrant, grant_line),
    ):
        sections.add(rows_section(name, model, line))
    import_readers.add("vibe.preferences", restore_preferences)
    sections.add(Section("access", lambda user_id: AuditLog.objects.about(user_id).count(), access_log_lines))


def rows_section(name: str, model: Any, line: Any) -> Section:
    """Return a section with the person's rows of one table."""
    return Section(
        name,
        lambda user_id: model.objects.of(user_id).count(),
        lambda user_id, _vault, after: rows_after(model.objects.of(user_id), after, line),
    )


def profile(user_id: UUID, _vault: Vault, _after: None) -> Page:
    """Return the page with the person's profile."""
    user = User.objects.only("firebase_uid", "email", "email_verified", "name", "created_at", "updated_at").get(
        pk=user_id
    )
    line = row_values(user, "firebase_uid", "email", "email_verified", "created_at", "updated_at")
    return Page([{"type": "vibe.profile", **line, "name": open_name(user) or None}], 1)


def preferences_line(row: UserPreferences) -> Line:
    """Return the line of the person's preferences."""
    return {"type": "vibe.preferences", **row_values(row, "data", "revision", "created_at", "updated_at")}


def grant_line(row: AccessGrant) -> Line:
    """Return the line of an access grant. Staff are named by id."""
    asked = row_values(row, "id", "requested_by", "reason", "ticket", "requested_at")
    answered = row_values(row, "approved", "decided_by", "decided_at", "expires_at", "ended_by", "ended_at")
    return {"type": "vibe.grant", **asked, **answered}


def access_log_lines(user_id: UUID, _vault: Vault, after: Position | None) -> Page:
    """Return a page of the audit log about the person, newest first. Origins only of their own actions."""
    found = page(AuditLog.objects.about(user_id), after=after, size=TRAIL_PAGE)
    return Page([access_line(row) for row in found.rows], len(found.rows), found.next)


def access_line(row: AuditLog) -> Line:
    """Return the line of one row of the audit log."""
    line = row_values(row, "id", "at", "actor_kind", "actor", "action", "resource", "outcome", "reason")
    own = row_values(row, "ip", "user_agent") if row.actor_kind == OWN_ACT else {}
    return {"type": "vibe.access", **line, **own}


def row_values(row: Model, *names: str) -> Line:
    """Return columns as JSON values: times as ISO 8601, ids as text."""
    return {name: json_value(getattr(row, name)) for name in names}


def json_value(value: Any) -> Any:
    """Return one value as JSON has it."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
