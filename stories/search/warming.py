"""Loads what a search needs and a process has not used yet: the model, the words of languages, how times are read."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from stories.processors import configured
from stories.search.question import understand

MADE_UP = ("What did Ada say about Lisbon last week, and who is her doctor?", "Wann ist sie nach Lissabon gezogen?")

logger = logging.getLogger(__name__)


def warm_up() -> None:
    """Understand and embed two made-up questions. A model that answers from elsewhere is not asked."""
    questions = [understand(text, ["Ada"], "Ada", asked_at=datetime(2026, 1, 1, tzinfo=UTC)) for text in MADE_UP]
    if getattr(configured.embedder(), "in_process", False):
        try:
            configured.embed([question.spoken for question in questions])
        except configured.EmbedderFailed as problem:
            logger.warning("Searches go by words alone. %s", problem)
