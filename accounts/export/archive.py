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


def archive_lines(user_id: UUID, companion: int | None = None) -> Iterator[tuple[Line | None, int]]:
    """Yield each line, and between pages (None, percentage done). At most one page is in memory.

    With the blind token of a companion it is what was said to that one alone. Keys are opened again for each page,
    so that nothing is exported after they are destroyed.
    """
    given = {} if companion is None else {"companion": companion}
    wanted = [section for section in SECTIONS if companion is None or section.keeps_to_companion]
    with as_user(user_id):
        total, done, percent = sum(section.count(user_id, **given) for section in wanted), 0, 0
    written: Counter[str] = Counter()
    head = {"type": "vibe.export", "format": FORMAT, "of": "person" if companion is None else "companion"}
    yield {**head, "person": str(user_id), "made_at": timezone.now().isoformat()}, 0
    for page in (page for section in wanted for page in pages(user_id, section, **given)):
        for line in page.lines:
            written[line["type"]] += 1
            yield line, percent
        done += page.rows
        now = 100 * done // total if total else 100
        if now > percent:
            percent = now
            yield None, min(percent, 100)
    yield {"type": "vibe.end", "lines": dict(written)}, 100


def pages(user_id: UUID, section: Section, **given: int) -> Iterator[Page]:
    """Yield the pages of one section, each read in its own transaction."""
    after = None
    while True:
        with as_user(user_id):
            page = section.read(user_id, open_vault(), after, **given)
        yield page
        if page.after is None:
            return
        after = page.after
