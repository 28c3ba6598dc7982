"""Whether search can find a memory, and why not: read from metadata alone, in the scope of support."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.formats import localize

from accounts.models import UserKey
from audit.models import AuditLog
from memories.models import Memory
from stories.models import Passage, PendingMemory, SearchSet, Story
from vibe.core.admin.filters import is_uuid
from vibe.core.admin.readable_columns import readable_rows

MOST: Final = 5  # memories that one message id names
FAILING: Final = 10_000  # stories that are counted


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that matters to whether it is found; `stops` says that it is why it is not."""

    text: str
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Findable:
    """What is known of one memory."""

    memory: Memory
    story_id: UUID | None
    facts: tuple[Fact, ...]


def facts_of_person(user_id: UUID) -> list[Fact]:
    """Return what holds for all of a person's memories. Each look-up goes by the person."""
    key = UserKey.objects.filter(user_id=user_id).order_by("-generation").values_list("destroyed_at", flat=True).first()
    found = SearchSet.objects.of(user_id).first()
    pending = PendingMemory.objects.of(user_id)
    waiting, oldest = pending.count(), pending.order_by("created_at").values_list("created_at", flat=True).first()
    failing = Story.objects.of(user_id).filter(~Q(failure=""), due_at__isnull=False)
    failures = list(failing.order_by().values_list("failure", flat=True).distinct()[:3])
    facts = [] if key is None else [Fact(f"The data key was destroyed {localize(key)}: nothing opens any more.", True)]
    if found:
        how = "by the HNSW graph" if found.in_graph else "exactly"
        facts.append(Fact(f"Search looks through about {found.passages:,} passages, {how}, with {found.embedder}."))
    else:
        facts.append(Fact("Nothing can be found yet: no memory of this person has been indexed.", True))
    if waiting and oldest:
        facts.append(Fact(f"{unindexed(waiting)}, the oldest since {localize(oldest)}.", True))
    facts += [Fact(f"Stories could not be built: {why} Their messages are found all the same.") for why in failures]
    return facts


def unindexed(count: int) -> str:
    """Say how many memories search does not find yet, or not by all that they hold."""
    return f"{count:,} memories are not fully in the index" if count != 1 else "1 memory is not fully in the index"


def find(user_id: UUID, term: str, *, with_audit_log: bool) -> list[Findable] | Fact:
    """Return what is known of the memories that an id or a message id names; a fact where there are none."""
    named = Q(pk=UUID(term)) if is_uuid(term) else Q(message_ids__contains=[term])
    rows = readable_rows(Memory._default_manager.filter(named, user_id=user_id))
    memories = list(rows.order_by("occurred_at", "pk")[:MOST])
    if not memories:
        return _missing(user_id, term, with_audit_log=with_audit_log)
    ids = [memory.pk for memory in memories]
    passages = list(readable_rows(Passage.objects.of(user_id).filter(memory_id__in=ids)))
    pending = dict(PendingMemory.objects.of(user_id).filter(memory_id__in=ids).values_list("memory_id", "created_at"))
    story_ids = {passage.story_id for passage in passages if passage.story_id}
    stories = {story.pk: story for story in readable_rows(Story.objects.of(user_id).filter(pk__in=story_ids))}
    return [
        _findable(memory, [each for each in passages if each.memory_id == memory.pk], pending.get(memory.pk), stories)
        for memory in memories
    ]


def _missing(user_id: UUID, term: str, *, with_audit_log: bool) -> Fact:
    if with_audit_log and is_uuid(term):
        of_it = AuditLog.objects.of(f"memories/{UUID(term)}").filter(subject=user_id, action="memory.delete")
        if deleted := of_it.order_by("-at", "-pk").values_list("at", flat=True).first():
            return Fact(f"It was deleted {localize(deleted)}.", True)
    where = "" if with_audit_log else " Who may see the audit log can find out which."
    return Fact(f"This person has no such memory: it never came in, or it was deleted or expired.{where}", True)


def _findable(
    memory: Memory, passages: Sequence[Passage], waits: datetime | None, stories: dict[UUID, Story]
) -> Findable:
    story = next((stories[each.story_id] for each in passages if each.story_id in stories), None)
    facts = (*_of_memory(memory), *_of_index(passages, waits), *_of_story(passages, story))
    return Findable(memory, story.pk if story else None, facts)


def _of_memory(memory: Memory) -> Iterator[Fact]:
    yield Fact(
        f"It is stored: said {localize(memory.occurred_at)} by the {memory.role}, "
        f"came in {localize(memory.created_at)}."
    )
    if memory.expires_at:
        gone = memory.expires_at <= timezone.now()
        yield Fact(f"It {'expired' if gone else 'expires'} {localize(memory.expires_at)}.", gone)


def _of_index(passages: Sequence[Passage], waits: datetime | None) -> Iterator[Fact]:
    if passages:
        since = localize(made_at(max(each.pk for each in passages)))
        parts = f", in {len(passages)} parts" if len(passages) > 1 else ""
        yield Fact(f"It is in the index since {since}{parts}.")
        if not any(each.length for each in passages):
            yield Fact("It has no word or meaning that search could go by.", True)
    if waits:
        yield Fact(f"A job is to index it{' again' if passages else ''} since {localize(waits)}: see Queues.", True)
    elif not passages:
        yield Fact(
            "It is not in the index, and no job is to index it. Whoever runs the service: manage.py reindex", True
        )


def _of_story(passages: Sequence[Passage], story: Story | None) -> Iterator[Fact]:
    if story is None:
        if passages:
            yield Fact("The person deleted its story. It is found among memories, and among stories no more.")
        return
    if story.built_at:
        yield Fact(f"Its story was built {localize(story.built_at)}.")
    else:
        yield Fact("Its story is not built yet: it has no title, and is found all the same.")
    if story.due_at:
        yield Fact(f"The story is built again {localize(story.due_at)}.")
    if story.failure:
        yield Fact(f"The last build failed, after {story.tries} tries: {story.failure}")


def made_at(pk: UUID) -> datetime:
    """Return the time in a UUIDv7."""
    return datetime.fromtimestamp((pk.int >> 80) / 1000, UTC)
