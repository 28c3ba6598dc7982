"""What goes to the API and comes from it.

Made by scripts/make_clients.py from the description of the API: `make clients` makes it anew.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal, NotRequired, TypedDict
from uuid import UUID


class Me(TypedDict):
    """Who calls, as far as it is known."""

    id: str
    email: str | None
    email_verified: bool
    name: str | None
    created_at: str


class Erasure(TypedDict):
    """When everything will be gone. Until then support can call it off."""

    due_at: str
    given_up_export: str | None
    """an export that was asked for and not finished: it is given up, since nobody could download it"""


Preferences = dict[str, Any]


class Export(TypedDict):
    """A copy of everything: how far it is, and until when it is there."""

    id: str
    state: Literal["waiting", "running", "ready", "failed", "removed"]
    progress: int
    """percent"""
    size: int
    """bytes, once it is ready"""
    problem: str
    """the code of what it failed with"""
    requested_at: str
    finished_at: str | None
    expires_at: str | None
    link: str | None
    """where it is until then, for the same person"""


class Access(TypedDict):
    """One row of the trail. Of staff and jobs it tells who and why; where from, of the person's own requests only."""

    id: str
    at: str
    by: Literal["person", "staff", "system", "anonymous"]
    """what kind of actor it was"""
    actor: str
    """the id of the person or member of staff, or the name of the job"""
    client: str | None
    """what acted for them, such as an API key"""
    action: str
    resource: str
    outcome: Literal["ok", "refused", "failed"]
    reason: str
    """why, as staff gave it, or the code of the problem"""
    request_id: str
    ip: str | None
    user_agent: str | None


class AccessLog(TypedDict):
    """A page of the trail, the newest first."""

    items: list[Access]
    next: str | None
    """the cursor of the next page; null on the last"""


class Import(TypedDict):
    """An import: how far it is, and what came of it."""

    id: str
    format: str
    dry_run: bool
    state: Literal["uploading", "waiting", "running", "done", "failed", "cancelled"]
    progress: int
    """percent"""
    part_bytes: NotRequired[int]
    """how large a part may be"""
    counts: ImportCounts
    passed_over: dict[str, int]
    """what is no message of a conversation, by kind"""
    problems: list[str]
    """what was left out, by line or conversation, and why: the first 1,000"""
    problem: str
    """the code of what it failed with"""
    requested_at: str
    finished_at: str | None


class ImportCounts(TypedDict):
    """What came of the file so far."""

    conversations: NotRequired[int]
    """with something new"""
    memories: NotRequired[int]
    """that were added"""
    unchanged: NotRequired[int]
    """messages that were there already"""
    differing: NotRequired[int]
    """messages that are there with other content, and were kept as they are"""
    skipped: NotRequired[int]
    """messages with nothing in them, or expired"""
    refused: NotRequired[int]
    """lines or conversations that were left out"""
    restored: NotRequired[int]
    """lines of an export that were brought back"""
    passed_over: NotRequired[int]
    """lines of an export that bring nothing back"""


class NewImport(TypedDict):
    """What the file is, and how it is to be read: docs/import.md says what of it each format needs."""

    format: Literal["jsonl", "chatgpt", "claude", "telegram", "whatsapp"]
    dry_run: NotRequired[bool]
    """say what would come in, with nothing written"""
    strict: NotRequired[bool]
    """stop at the first bad line, with nothing written"""
    me: NotRequired[str]
    """telegram, whatsapp: the person's own name in the chats"""
    time_zone: NotRequired[str | None]
    """of times without one, such as Europe/Lisbon"""
    dates: NotRequired[Literal["day-first", "month-first", "year-first"] | None]
    """whatsapp: their order"""
    conversation: NotRequired[str | None]
    """whatsapp: the external id of the conversation; by default its first time"""


class StartedImport(TypedDict):
    """That the file is whole."""

    parts: int
    """how many parts it has"""


class Person(TypedDict):
    """A person as a server sees them: that they are there."""

    id: str
    uid: str
    """what `Vibe-Person` names after `uid:`"""
    is_active: bool
    created_at: str


class EnsuredPerson(TypedDict):
    """What a person is made with, if they are not there. Everything may be left out."""

    name: NotRequired[str | None]
    """sealed; a memory by this author has the role `user`"""


class WebhookWithSecret(TypedDict):
    """A webhook, and the secret that its requests are verified with."""

    id: str
    url: str
    events: list[Literal["story.built", "import.ready", "export.ready", "erasure.done", "grant.opened"]]
    active: bool
    disabled_at: str | None
    disabled_why: str
    failing_since: str | None
    """the first failure after the last success"""
    old_secret_until: str | None
    """until then the secret of before signs too"""
    created_at: str
    secret: str
    """shown this once"""


class NewWebhook(TypedDict):
    """A webhook to be made."""

    url: str
    """https, of a host with public addresses alone"""
    events: list[Literal["story.built", "import.ready", "export.ready", "erasure.done", "grant.opened"]]
    """`story.built`: a story was built, for the first time or again; `import.ready`: an import is done; `export.ready`: an export can be downloaded; `erasure.done`: a person is erased; `grant.opened`: staff may read a person's content for a while"""


class Webhook(TypedDict):
    """A webhook, without its secret."""

    id: str
    url: str
    events: list[Literal["story.built", "import.ready", "export.ready", "erasure.done", "grant.opened"]]
    active: bool
    disabled_at: str | None
    disabled_why: str
    failing_since: str | None
    """the first failure after the last success"""
    old_secret_until: str | None
    """until then the secret of before signs too"""
    created_at: str


class Webhooks(TypedDict):
    """All webhooks of an API key."""

    items: list[Webhook]


class ChangedWebhook(TypedDict):
    """What is to be changed of a webhook; what is left out stays."""

    url: NotRequired[str | None]
    """https, of a host with public addresses alone"""
    events: NotRequired[
        list[Literal["story.built", "import.ready", "export.ready", "erasure.done", "grant.opened"]] | None
    ]
    """`story.built`: a story was built, for the first time or again; `import.ready`: an import is done; `export.ready`: an export can be downloaded; `erasure.done`: a person is erased; `grant.opened`: staff may read a person's content for a while"""
    active: NotRequired[bool | None]
    """false gives up what waits; true takes it up after it was disabled"""


class Conversation(TypedDict):
    """A conversation with its texts opened."""

    id: str
    external_id: str | None
    title: str | None
    description: str | None
    companion: str | None
    is_archived: bool
    memory_count: int
    started_at: str
    active_at: str
    """when the last of it was said"""
    created_at: str
    updated_at: str


class NewConversation(TypedDict):
    """A conversation to begin. Everything may be left out."""

    title: NotRequired[str | None]
    description: NotRequired[str | None]
    started_at: NotRequired[str | datetime | None]
    """now, if left out"""
    companion: NotRequired[str | None]
    """the companion it is with, an id of yours; sealed, and not changed later"""
    external_id: NotRequired[str | None]
    """an id of yours that tells nothing, such as a UUID: it is stored in clear"""


class Conversations(TypedDict):
    """A page of conversations, those of the last activity first."""

    items: list[Conversation]
    next: str | None
    """the cursor of the next page; null on the last"""


class EnsuredConversation(TypedDict):
    """What a conversation is begun with, if it is not there. Everything may be left out."""

    title: NotRequired[str | None]
    description: NotRequired[str | None]
    started_at: NotRequired[str | datetime | None]
    """now, if left out"""
    companion: NotRequired[str | None]
    """the companion it is with, an id of yours; sealed, and not changed later"""


class ConversationTexts(TypedDict):
    """What is given in a change stays as given; null takes it away; what is not named stays as it was."""

    title: NotRequired[str | None]
    description: NotRequired[str | None]


class Memory(TypedDict):
    """A memory, opened."""

    id: str
    conversation_id: str
    message_ids: list[str]
    author: str
    role: Role
    text: str
    """empty where there is metadata alone"""
    metadata: dict[str, str | float | bool | None]
    occurred_at: str
    """in UTC"""
    utc_offset: int | None
    """minutes east of UTC where it was said; null if not known"""
    expires_at: str | None
    created_at: str
    updated_at: str


Role = Literal["user", "assistant", "system", "tool", "other"]


class AddedMemory(TypedDict):
    """One message to remember: its text, or metadata where there is no text, such as of a picture."""

    author: str
    role: NotRequired[Role | None]
    """told by the author, if left out"""
    text: NotRequired[str]
    metadata: NotRequired[dict[str, str | float | bool | None] | None]
    """notes of yours, sealed: up to 50 members and 4,096 bytes"""
    occurred_at: NotRequired[str | datetime | None]
    """when it was said; now, if left out"""
    expires_at: NotRequired[str | datetime | None]
    """when it is to be forgotten; never, if left out"""
    message_id: NotRequired[str | None]
    """an id of yours, once in a conversation, stored in clear"""


class Memories(TypedDict):
    """A page of a conversation, in the order it was said, or with `order=desc` the last first."""

    items: list[Memory]
    next: str | None
    """the cursor of the next page; null on the last"""


class MemoriesAdded(TypedDict):
    """What was added, in the order given."""

    items: list[Memory | None]
    """null, in the answer to a retry, for what is gone since"""


class AddedMemories(TypedDict):
    """A batch: all of it is added, or none."""

    memories: list[AddedMemory]


class PutMemory(TypedDict):
    """One message to stand in place of the one of its message id, or to be added under it."""

    author: str
    role: NotRequired[Role | None]
    """told by the author, if left out"""
    text: NotRequired[str]
    metadata: NotRequired[dict[str, str | float | bool | None] | None]
    """notes of yours, sealed: up to 50 members and 4,096 bytes"""
    occurred_at: NotRequired[str | datetime | None]
    """when it was said; now, if left out"""
    expires_at: NotRequired[str | datetime | None]
    """when it is to be forgotten; never, if left out"""


class Copy(TypedDict):
    """Another memory that says the same."""

    id: str
    occurred_at: str


class FoundMemory(TypedDict):
    """A memory that answers."""

    id: str
    conversation_id: str
    story_id: str | None
    """the story of its episode; null if the person deleted that"""
    message_ids: list[str]
    occurred_at: str
    author: str
    role: Role
    """the author's part"""
    text: str
    score: float
    """the probability that it answers the question, from 0 to 1; comparable between questions"""
    why: dict[str, float]
    """what put it in its place, part by part"""
    times: int
    """how often the same was said by the same author, as far as search looked"""
    copies: list[Copy]
    """the others that say the same, oldest first: they are no results of their own"""


class MemoriesFound(TypedDict):
    """The memories that answer best, best first."""

    items: list[FoundMemory]
    degraded: str | None
    """why this is less than it could be, such as words alone"""
    pending: int
    """memories that are not fully in the index yet: a job sees to them within a second or so"""


class MemorySearch(TypedDict):
    """A question, and what the memories are narrowed to. One name of a kind is enough; all the rest must hold."""

    people: NotRequired[list[str]]
    """whom the story tells of"""
    places: NotRequired[list[str]]
    events: NotRequired[list[str]]
    authors: NotRequired[list[str]]
    """who said it, by the name that stands with it"""
    roles: NotRequired[list[Role]]
    """who said it, by their part"""
    since: NotRequired[str | datetime | None]
    """said then or later"""
    until: NotRequired[str | datetime | None]
    """said then or earlier"""
    conversation_id: NotRequired[str | UUID | None]
    companion: NotRequired[str | None]
    """said to this companion"""
    metadata: NotRequired[dict[str, str | float | bool | None]]
    """what its metadata has, each member with this value; among the first 16 of it"""
    archived: NotRequired[bool | None]
    """of archived conversations only, or of active ones"""
    question: str
    asked_at: NotRequired[str | datetime | None]
    """when the question is asked, in the time zone of the person: "last week" is reckoned from then. Without it, from now, in UTC"""
    limit: NotRequired[int]
    """how many at most"""
    prefer: NotRequired[Literal["best", "newest"]]
    """newest: of what fits about as well, the newest first"""
    min_score: NotRequired[float]
    """leave out what answers with a smaller probability"""


class FilteredMemories(TypedDict):
    """A page of memories, the newest first."""

    items: list[Memory]
    next: str | None
    """the cursor of the next page; null on the last"""
    pending: int
    """memories that are not fully in the index yet: a job sees to them within a second or so"""


class MemoryFilter(TypedDict):
    """What memories are listed by. One name of a kind is enough; all the rest must hold."""

    people: NotRequired[list[str]]
    """whom the story tells of"""
    places: NotRequired[list[str]]
    events: NotRequired[list[str]]
    authors: NotRequired[list[str]]
    """who said it, by the name that stands with it"""
    roles: NotRequired[list[Role]]
    """who said it, by their part"""
    since: NotRequired[str | datetime | None]
    """said then or later"""
    until: NotRequired[str | datetime | None]
    """said then or earlier"""
    conversation_id: NotRequired[str | UUID | None]
    companion: NotRequired[str | None]
    """said to this companion"""
    metadata: NotRequired[dict[str, str | float | bool | None]]
    """what its metadata has, each member with this value; among the first 16 of it"""
    archived: NotRequired[bool | None]
    """of archived conversations only, or of active ones"""
    metadata_any: NotRequired[list[dict[str, str | float | bool | None]]]
    """what its metadata has of several: all that one of them names"""
    limit: NotRequired[int]
    """how many at most"""
    cursor: NotRequired[str | None]


class NamedConversation(TypedDict):
    """A conversation by its external id, and what it is begun with, if it is not there."""

    title: NotRequired[str | None]
    description: NotRequired[str | None]
    started_at: NotRequired[str | datetime | None]
    """now, if left out"""
    companion: NotRequired[str | None]
    """the companion it is with, an id of yours; sealed, and not changed later"""
    external_id: str
    """an id of yours that tells nothing, such as a UUID: it is stored in clear"""


class RememberedMemory(TypedDict):
    """One message to remember, and the conversation it is of."""

    author: str
    role: NotRequired[Role | None]
    """told by the author, if left out"""
    text: NotRequired[str]
    metadata: NotRequired[dict[str, str | float | bool | None] | None]
    """notes of yours, sealed: up to 50 members and 4,096 bytes"""
    occurred_at: NotRequired[str | datetime | None]
    """when it was said; now, if left out"""
    expires_at: NotRequired[str | datetime | None]
    """when it is to be forgotten; never, if left out"""
    message_id: NotRequired[str | None]
    """an id of yours, once in a conversation, stored in clear"""
    conversation: NamedConversation


class ForgottenMemories(TypedDict):
    """Memories that were deleted."""

    items: list[ForgottenMemory]
    more: bool
    """whether more may be left: then ask again"""


class ForgottenMemory(TypedDict):
    """A memory that is gone."""

    id: str


class ChangedMemory(TypedDict):
    """What is to be corrected; what is left out stays."""

    author: NotRequired[str | None]
    role: NotRequired[Role | None]
    text: NotRequired[str | None]
    metadata: NotRequired[dict[str, str | float | bool | None] | None]
    """in place of all that is there; null takes it away"""
    occurred_at: NotRequired[str | datetime | None]
    expires_at: NotRequired[str | datetime | None]
    """null takes it away"""


class ChatMessage(TypedDict):
    """A message as chat calls take it, those of OpenAI and of Anthropic."""

    role: Literal["user", "assistant"]
    content: str


class Context(TypedDict):
    """What is known that bears on a message."""

    messages: list[ChatMessage] | None
    """what is known, as the first of them, and the last turns; null for `text`"""
    text: str | None
    """all of it; null for `messages`"""
    pieces: list[ContextPiece]
    """what it is made of, in this order"""
    tokens: int
    """its length by estimate, never more than was asked for"""
    characters: int
    degraded: str | None
    """why this is less than it could be, such as words alone"""
    pending: int
    """memories that are not fully in the index yet: a job sees to them within a second or so"""


class ContextPiece(TypedDict):
    """Something that a context shows."""

    label: str
    """what it is called in the text"""
    part: Literal["instructions", "facts", "upcoming", "passages", "episodes", "turns"]
    id: str
    """of a memory; of an episode, its story; of the first three parts, a fact"""
    occurred_at: str | None
    author: str
    """who said it; of an episode its title; of a fact empty"""
    text: str
    """as it is shown"""
    is_whole: bool
    """false where sentences were left out"""


class WantedContext(TypedDict):
    """What is about to be answered, and how much may be said of it."""

    message: NotRequired[str | None]
    """what the person says now; without it, no passages"""
    conversation_id: NotRequired[str | UUID | None]
    """where it is said; without it, no turns"""
    companion: NotRequired[str | None]
    """of what was said to this companion alone"""
    tokens: NotRequired[int]
    """so many at most, by estimate"""
    characters: NotRequired[int | None]
    """in place of `tokens`"""
    parts: NotRequired[list[Literal["instructions", "facts", "upcoming", "passages", "episodes", "turns"]]]
    """what it is made of"""
    format: NotRequired[Literal["messages", "text"]]
    """`messages`: for chat calls; `text`: one text, with the last turns in it"""
    asked_at: NotRequired[str | datetime | None]
    """when, in which zone; now, in UTC, if left out"""


class Answer(TypedDict):
    """The stories that answer best, best first."""

    items: list[Found]
    degraded: str | None
    """why this is less than it could be, such as words alone"""
    pending: int
    """memories that are not fully in the index yet: a job sees to them within a second or so"""


class Found(TypedDict):
    """A story that answers, with what of it does."""

    id: str
    conversation_id: str
    title: str | None
    """null until the story is built"""
    occurred_at: str
    score: float
    """the probability that it answers the question, from 0 to 1; comparable between questions: that of its best passage"""
    passages: list[Passage]


class Passage(TypedDict):
    """What of a story answers the question."""

    memory_id: str | None
    """null for what the person wrote themself: the corrected title or text"""
    message_ids: list[str]
    occurred_at: str
    author: str
    text: str
    score: float
    """the probability that it answers the question, from 0 to 1; comparable between questions"""


class Search(TypedDict):
    """A question, and what the passages are narrowed to by which stories are found."""

    people: NotRequired[list[str]]
    """whom the story tells of"""
    places: NotRequired[list[str]]
    events: NotRequired[list[str]]
    authors: NotRequired[list[str]]
    """who said it, by the name that stands with it"""
    roles: NotRequired[list[Role]]
    """who said it, by their part"""
    since: NotRequired[str | datetime | None]
    """said then or later"""
    until: NotRequired[str | datetime | None]
    """said then or earlier"""
    conversation_id: NotRequired[str | UUID | None]
    companion: NotRequired[str | None]
    """said to this companion"""
    metadata: NotRequired[dict[str, str | float | bool | None]]
    """what its metadata has, each member with this value; among the first 16 of it"""
    archived: NotRequired[bool | None]
    """of archived conversations only, or of active ones"""
    question: str
    asked_at: NotRequired[str | datetime | None]
    """when the question is asked, in the time zone of the person: "last week" is reckoned from then. Without it, from now, in UTC"""
    limit: NotRequired[int]
    """how many at most"""
    prefer: NotRequired[Literal["best", "newest"]]
    """newest: of what fits about as well, the newest first"""
    min_score: NotRequired[float]
    """leave out what answers with a smaller probability"""
    passages: NotRequired[int]
    """how many passages of each story at most"""


class Event(TypedDict):
    """Who did what, and when."""

    who: str
    what: str
    when: str | None
    precision: Literal["day", "weekend", "week", "month", "season", "year", "none"]
    memory_id: str | None


class Stories(TypedDict):
    """A page of stories, the newest first."""

    items: list[Story]
    next: str | None
    """the cursor of the next page; null on the last"""


class Story(TypedDict):
    """An episode of a conversation, and what happened in it once that is built."""

    id: str
    conversation_id: str
    title: str | None
    """null until the story is built"""
    text: str | None
    """null until the story is built"""
    people: list[str]
    places: list[str]
    events: list[Event]
    occurred_from: str
    occurred_to: str
    memory_ids: list[str]
    """the memories it was built from"""
    corrected: list[str]
    """which of these stand as the person corrected them"""
    processor: str
    """what built it; empty until then"""
    created_at: str
    built_at: str | None


class CorrectedStory(TypedDict):
    """What is to stand in the story instead; what is left out stays as it was told."""

    title: NotRequired[str | None]
    text: NotRequired[str | None]
    people: NotRequired[list[str] | None]
    places: NotRequired[list[str] | None]
    events: NotRequired[list[EventIn] | None]


class EventIn(TypedDict):
    """Who did what, and when, as far as it is known."""

    who: str
    what: str
    when: NotRequired[str | date | None]
    """its first day"""
    precision: NotRequired[Literal["day", "weekend", "week", "month", "season", "year", "none"]]
    """what the date stands for; none without one"""
    memory_id: NotRequired[str | UUID | None]
    """the memory that tells of it"""


class Fact(TypedDict):
    """What holds, or held."""

    id: str
    subject: str
    """empty for the person; else the speaker who said it of themselves"""
    attribute: str
    value: str
    valid_from: str | None
    """null if nobody said since when"""
    valid_to: str | None
    """null if it still holds"""
    day: str | None
    """of an appointment, a trip or a plan"""
    learned_at: str
    corrected: bool
    """whether it is as the person corrected it"""
    superseded_by: str | None
    """the fact that ended it"""
    sources: list[FactSource]


class FactSource(TypedDict):
    """Where something of it was said; without a memory, it is what the person said of the fact itself."""

    said_at: str
    role: Role
    memory_id: str | None
    conversation_id: str | None
    start: int
    """where it begins in the memory's text, in characters"""
    end: int


class Facts(TypedDict):
    """Facts, the newest learned first."""

    items: list[Fact]


class CorrectedFact(TypedDict):
    """What is so instead; what is left out stays."""

    value: NotRequired[str | None]
    valid_from: NotRequired[str | datetime | None]
    """since when; null if that is not known"""
    valid_to: NotRequired[str | datetime | None]
    """until when; null if it still holds"""


class EntitiesPage(TypedDict):
    """A page of them."""

    items: list[Entity]
    next: str | None
    """the cursor of the next page; null on the last"""


class Entity(TypedDict):
    """A person, place or event that stories tell of."""

    id: str
    name: str
    stories: int
    """how many tell of it"""
    first: str
    """when the first of them begins"""
    last: str
    """when the last of them ends"""


class ProblemField(TypedDict):
    """What is wrong with one field."""

    field: str
    code: str
    detail: str


class Problem(TypedDict):
    """RFC 9457. `code` stays what it is; `detail` is for people and may change."""

    type: str
    """always about:blank: `code` says what kind it is"""
    title: str
    status: int
    code: Literal[
        "api-key-invalid",
        "audit-unavailable",
        "bad-request",
        "body-too-large",
        "busy",
        "companion-bound",
        "credentials-missing",
        "cursor-invalid",
        "deactivated",
        "email-unverified",
        "ends-before-it-begins",
        "etag-malformed",
        "expiry-past",
        "export-under-way",
        "external-id-taken",
        "failed",
        "files-unavailable",
        "gone",
        "idempotency-key-malformed",
        "idempotency-key-used",
        "import-under-way",
        "input",
        "internal-server-error",
        "invalid",
        "key-service-away",
        "key-service-refuses",
        "length-required",
        "malformed-body",
        "message-id-taken",
        "method-not-allowed",
        "no-such-attribute",
        "not-encrypted",
        "not-found",
        "nothing-said",
        "number-too-large",
        "other-companion",
        "outdated",
        "person-ambiguous",
        "person-unknown",
        "processing-restricted",
        "pooler-misconfigured",
        "preferences-too-large",
        "range-missing",
        "refused",
        "scope-missing",
        "service-unavailable",
        "sign-in-unavailable",
        "still-changing",
        "still-running",
        "storage-day-full",
        "storage-full",
        "token-expired",
        "token-invalid",
        "token-revoked",
        "too-many-requests",
        "unsupported-media-type",
        "vectors-changing",
        "webhook-address-refused",
        "webhook-host-unknown",
        "webhook-there",
    ]
    detail: str
    request_id: str
    """the trail has it too"""
    existing_id: NotRequired[str | None]
    """of a 409, the id of what is there already"""
    errors: NotRequired[list[ProblemField] | None]
    """the fields at fault, where it is fields: the first 20"""
    more_errors: NotRequired[int | None]
    """how many more fields are at fault"""
