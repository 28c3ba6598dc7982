"""Building stories: each reads one episode, in person by person turns, when the episode is due.

read → compose and embed, in no transaction → store, unless what was read has changed by then
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.keys.errors import KeyServiceUnavailable, ProcessingRestricted
from accounts.keys.services.data_keys import open_vault
from accounts.models.webhooks import STORY_BUILT
from accounts.webhooks.outbox import tell
from audit.actors import Actor
from audit.services import FAILED, record
from stories.building.sources import Source, hold_story, is_as_read, read, story_at
from stories.building.storing import BuiltStory, store
from stories.entities import services as entities
from stories.index.dividing import divide_open
from stories.index.services import add_counts, hold_conversation, model_for
from stories.models import SearchSet, Story
from stories.processors.base import Draft
from stories.processors.embedding import Embedder
from stories.processors.errors import ProcessingFailed, Stopped
from stories.processors.fenced import build_draft, embed_many
from stories.processors.openai_compatible.budget import spending_for
from vibe.core.db.scopes import as_system, as_user
from vibe.core.errors import NotFound, VibeError

MOST: Final = 200
"""People for whom a job is started at a time: the next sweep starts more."""
LONGEST_WAIT: Final = timedelta(days=1)
"""The longest that a build is put off."""
PEOPLE: Final = (
    "SELECT user_id FROM stories WHERE (due_at <= now() OR due_at > %s) "
    "AND user_id NOT IN (SELECT id FROM users WHERE restricted_at IS NOT NULL) "
    "GROUP BY user_id ORDER BY min(due_at) LIMIT %s"
)
BUSY: Final = (
    "SELECT (args ->> 'user_id')::uuid FROM procrastinate_jobs WHERE task_name = %s AND status IN ('todo', 'doing')"
)

TURN: Final = 10.0
"""Seconds that one person's stories are built before another's turn."""
FIRST_WAIT: Final = 15
"""Seconds until a failed build is tried again; twice as long each time, at most a day."""
AWAY_WAIT: Final = 60
"""Seconds until a build is tried again that a provider did not answer for, which says nothing of when it is back."""


def no_wait_ends_after() -> datetime:
    """Return the time that nothing put off now waits beyond. What does was put off by a clock that was ahead."""
    return timezone.now() + max(LONGEST_WAIT, timedelta(minutes=settings.EPISODE_GAP_MINUTES)) + timedelta(hours=1)


def people_due(task: str) -> list[UUID]:
    """Return the people who have a story that is due and no job for it, the longest due first."""
    with as_system(), connection.cursor() as cursor:
        cursor.execute(BUSY, [task])
        busy = {user_id for (user_id,) in cursor.fetchall()}
        cursor.execute(PEOPLE, [no_wait_ends_after(), MOST + len(busy)])
        return [user_id for (user_id,) in cursor.fetchall() if user_id not in busy][:MOST]


def start_due_builds(task: Any) -> int:
    """Start a job for each of them, and return how many. At most one of a person runs at a time.

    There is no queueing lock: a job that is put back while another of its lock waits would break it.
    """
    people = people_due(task.name)
    for user_id in people:
        task.configure(lock=f"stories.build:{user_id}").defer(user_id=str(user_id))
    return len(people)


def build_due(*, user_id: UUID, actor: Actor) -> int:
    """Build the stories of a person that are due, the longest due first, for one turn. Return how many were built.

    A build that fails is put off; what stands in the way is named on its story.
    """
    ends, built = time.monotonic() + TURN, 0
    while time.monotonic() < ends:
        with as_user(user_id):
            due = Story.objects.of(user_id).filter(Q(due_at__lte=Now()) | Q(due_at__gt=no_wait_ends_after()))
            story_id = due.order_by("due_at", "id").values_list("pk", flat=True).first()
        if story_id is None:
            break
        built += try_building(user_id, story_id, actor=actor)
    return built


def try_building(user_id: UUID, story_id: UUID, *, actor: Actor) -> bool:
    """Build a story, or put it off. Return whether it was built.

    Outside of `except` nothing is known of what was caught but its name: its text may hold what people said.
    """
    again_at, counted = None, True
    try:
        return build_story(user_id=user_id, story_id=story_id, actor=actor)
    except NotFound:
        return False
    except (DatabaseError, Stopped, KeyServiceUnavailable, ProcessingRestricted):
        raise
    except ProcessingFailed as problem:
        code, words, again_at, counted = problem.code, str(problem), problem.again_at, not problem.away
    except VibeError as problem:
        code, words = problem.code, str(problem)
    except Exception as problem:
        code, words = type(problem).__name__, f"The processor failed: {type(problem).__name__}."
    put_off(user_id, story_id, code, words, actor=actor, again_at=again_at, counted=counted)
    return False


def put_off(
    user_id: UUID,
    story_id: UUID,
    code: str,
    words: str,
    *,
    actor: Actor,
    again_at: datetime | None = None,
    counted: bool = True,
) -> None:
    """Note on a story why it was not built, and when it is tried again. A provider that is away uses up no try."""
    with as_user(user_id):
        story = Story.objects.of(user_id).filter(pk=story_id).only("id", "user", "tries").first()
        if story is None:
            return
        tries = story.tries + counted
        wait = FIRST_WAIT * 2 ** min(tries, 20) if counted else AWAY_WAIT
        due_at = again_at or timezone.now() + timedelta(seconds=min(LONGEST_WAIT.total_seconds(), wait))
        Story.objects.of(user_id).filter(pk=story_id).update(tries=tries, failure=words[:300], due_at=due_at)
        record(
            actor=actor,
            action="story.build",
            subject=user_id,
            resource=f"stories/{story_id}",
            outcome=FAILED,
            reason=code,
        )


def build_story(*, user_id: UUID, story_id: UUID, actor: Actor) -> bool:
    """Build the story of an episode, which is closed or cut first if that is due. Return whether it was stored.

    What was said since it was read is for the next build. If what it was made of was changed or deleted meanwhile, the
    result is discarded and the story stays due. Raises NotFound for a story that is gone.
    """
    with as_user(user_id):
        story = story_at(user_id, story_id)
        if story.is_open:
            hold_conversation(user_id, story.conversation_id)
            divide_open(user_id, story.conversation_id)
            story = story_at(user_id, story_id)
            if story.due_at is None:
                return False  # closed as it was built
        source = read(user_id, story, open_vault(to_process=True))
        if source is None:
            remove_story(user_id, story_id, actor=actor)
            return False
        model = model_for(SearchSet.objects.of(user_id).first())
    with spending_for(user_id):
        built = compose(source, story, model)
    with as_user(user_id):
        # Keys are opened again: nothing is to be sealed under one that was destroyed meanwhile.
        vault, story = open_vault(to_process=True), hold_story(user_id, story_id)
        if not is_as_read(source, story):
            Story.objects.of(user_id).filter(pk=story_id).update(due_at=Now())
            return False
        search_set = SearchSet.objects.of(user_id).select_for_update(no_key=True).get()
        store(story, search_set, source, built, vault)
        record(
            actor=actor,
            action="story.build",
            subject=user_id,
            resource=f"stories/{story_id}",
            details={"memories": len(source.memories)},
        )
        tell(event=STORY_BUILT, user_id=user_id, resource=story_id)
    return True


def compose(source: Source, story: Story, model: Embedder) -> BuiltStory:
    """Compose and embed, with what was corrected in its place. The story's own vector is that of its text."""
    transcript = source.transcript()
    draft = build_draft(transcript) if transcript else nothing_written(story)
    correction = None
    if source.kept:
        draft, correction = source.kept.apply_to(draft), source.kept.passage()
    texts = [draft.text, *([correction.embedded] if correction else [])]
    return BuiltStory(draft, correction, embed_many(texts, model), model.name)


def nothing_written(story: Story) -> Draft:
    """Return the draft of an episode of pictures alone."""
    return Draft("", "", (), (), (), story.occurred_from, story.occurred_to)


def remove_story(user_id: UUID, story_id: UUID, *, actor: Actor) -> None:
    """Remove the story of an episode that has no memory left."""
    story = hold_story(user_id, story_id)
    borne = {kind: list(tokens) for kind, tokens in entities.borne_by(story).items()}
    add_counts(user_id, -story.passage_count, -story.word_count)
    story.delete()
    entities.forget_unused(user_id, borne)
    record(actor=actor, action="story.remove", subject=user_id, resource=f"stories/{story_id}")
