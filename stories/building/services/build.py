"""What happens to stories. Each verb is one transaction: check, change, record."""

from __future__ import annotations

from uuid import UUID

from accounts.keys.services.data_keys import open_vault
from audit.actors import Actor
from audit.services import record
from memories.models import Memory
from stories.building.passages import passages
from stories.building.sources import Source, fingerprint, hold, read
from stories.building.storing import Told, store
from stories.entities import services as entities
from stories.index.services import count_anew, hold_search_set, model_for
from stories.models import Passage, SearchSet, Story, StoryDeletion
from stories.processors.embedding import Embedder
from stories.processors.fenced import build_draft, embed_many
from stories.processors.openai_compatible.budget import spending_for
from vibe.core.db.scopes import as_user
from vibe.core.errors import VibeError

ATTEMPTS = 5


class StillChanging(VibeError):
    message = "The conversation kept changing while its story was made. Build it again later."
    code = "still-changing"
    status = 409


def build_story(*, user_id: UUID, conversation_id: UUID, actor: Actor) -> bool:
    """Tell a conversation: story and passages replaced as one, or removed where nothing is left to tell.

    Whether anything changed. Reading, making and storing are three steps. It is made again if meanwhile the
    conversation changes, the story is corrected, or the person's vectors become another model's. Raises StillChanging
    if that happens every time.
    """
    for _ in range(ATTEMPTS):
        with as_user(user_id):
            made_of = fingerprint(user_id, conversation_id)
            if not made_of:
                hold(user_id, conversation_id)
                made_of = fingerprint(user_id, conversation_id)
            if not made_of:
                return remove_story(user_id=user_id, conversation_id=conversation_id, actor=actor)
            if is_told(user_id, conversation_id, made_of) or stays_deleted(user_id, conversation_id):
                return False
            source = read(user_id, conversation_id, open_vault())
            if source is None and hold(user_id, conversation_id):  # nothing but pictures, unless a text just came
                source = read(user_id, conversation_id, open_vault())
                if source is None:
                    return remove_story(user_id=user_id, conversation_id=conversation_id, actor=actor)
            model = model_for(SearchSet.objects.of(user_id).first())
        if source is None:
            continue
        with spending_for(user_id):
            told = tell(source, model)
        with as_user(user_id):
            # Keys are opened again: nothing is to be sealed under one that was destroyed meanwhile.
            vault = open_vault()
            if not hold(user_id, conversation_id) or fingerprint(user_id, conversation_id) != source.fingerprint:
                continue
            if is_told(user_id, conversation_id, source.fingerprint) or stays_deleted(user_id, conversation_id):
                return False
            search_set = hold_search_set(user_id)
            corrected = revision_of(user_id, conversation_id) != source.story_revision
            if corrected or model_for(search_set).name != told.embedder:
                continue
            StoryDeletion.objects.of(user_id).filter(conversation_id=conversation_id).delete()
            store(search_set, source, told, vault)
            record(
                actor=actor,
                action="story.build",
                subject=user_id,
                resource=f"conversations/{conversation_id}",
                details={"passages": len(told.passages)},
            )
            return True
    raise StillChanging(f"Conversation {conversation_id} kept changing while its story was made. Build it again later.")


def tell(source: Source, model: Embedder) -> Told:
    """Compose and embed, with what was corrected in its place. The story's own vector is that of its text."""
    transcript = source.transcript()
    draft = build_draft(transcript)
    made = passages(transcript.messages)
    if source.kept:
        draft = source.kept.over(draft)
        made += source.kept.passages()
    return Told(draft, made, embed_many([draft.text, *(passage.embedded for passage in made)], model), model.name)


def is_told(user_id: UUID, conversation_id: UUID, made_of: str) -> bool:
    """Whether the story of a conversation is there, whole and made of just this.

    One whose passages went with changed memories is made again, even when the memories are back to what they were.
    """
    story = Story.objects.of(user_id).filter(conversation_id=conversation_id, fingerprint=made_of).only("passage_count")
    return any(Passage.objects.of(user_id).filter(story=each).count() == each.passage_count for each in story)


def revision_of(user_id: UUID, conversation_id: UUID) -> int:
    """The revision of a conversation's story; 0 for none."""
    story = Story.objects.of(user_id).filter(conversation_id=conversation_id)
    return story.values_list("revision", flat=True).first() or 0


def stays_deleted(user_id: UUID, conversation_id: UUID) -> bool:
    """Whether the person deleted the story, and the conversation has no memory yet that it had not then."""
    deleted = StoryDeletion.objects.of(user_id).filter(conversation_id=conversation_id).first()
    if deleted is None:
        return False
    others = Memory.objects.of(user_id).filter(conversation_id=conversation_id).exclude(pk__in=deleted.memory_ids)
    return not others.exists()


def remove_story(*, user_id: UUID, conversation_id: UUID, actor: Actor) -> bool:
    """Take away what is left of a conversation that has nothing left to tell. Whether there was anything."""
    hold_search_set(user_id)
    count, _ = Story.objects.of(user_id).filter(conversation_id=conversation_id).delete()
    forgotten = entities.forget_unused(user_id)
    count_anew(user_id)
    if count or forgotten:
        record(actor=actor, action="story.remove", subject=user_id, resource=f"conversations/{conversation_id}")
    return bool(count or forgotten)
