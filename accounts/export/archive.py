"""The lines of an export: a header, each section page by page, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from django.utils import timezone

from accounts.export.sections import SECTIONS, Line, Page, Section
from accounts.keys.services.data_keys import open_vault
from vibe.core.db.scopes import as_user

FORMAT = 2


def archive_lines(user_id: UUID) -> Iterator[tuple[Line | None, int]]:
    """Yield each line, and between pages (None, percentage done). At most one page is in memory.

    Keys are opened again for each page, so that nothing is exported after they are destroyed.
    """
    total, done, percent = count_rows(user_id), 0, 0
    written: Counter[str] = Counter()
    yield {"type": "vibe.export", "format": FORMAT, "person": str(user_id), "made_at": timezone.now().isoformat()}, 0
    for page in (page for section in SECTIONS for page in pages(user_id, section)):
        for line in page.lines:
            written[line["type"]] += 1
            yield line, percent
        done += page.rows
        now = 100 * done // total if total else 100
        if now > percent:
            percent = now
            yield None, min(percent, 100)
    yield {"type": "vibe.end", "lines": dict(written)}, 100


def count_rows(user_id: UUID) -> int:
    """Return how many rows there are to export."""
    with as_user(user_id):
        return sum(section.count(user_id) for section in SECTIONS)


def pages(user_id: UUID, section: Section) -> Iterator[Page]:
    """Yield the pages of one section, each read in its own transaction."""
    after = None
    while True:
        with as_user(user_id):
            page = section.read(user_id, open_vault(), after)
        yield page
        if page.after is None:
            return
        after = page.after
