// What goes to the API and comes from it. Made by scripts/make_clients.py from the description of the API: `make clients` makes it anew.

/** Who calls, as far as it is known. */
export interface Me {
  id: string;
  email: string | null;
  email_verified: boolean;
  name: string | null;
  created_at: string;
}

/** When everything will be gone. Until then support can call it off. */
export interface Erasure {
  due_at: string;
  /** an export that was asked for and not finished: it is given up, since nobody could download it */
  given_up_export: string | null;
}

/** Whatever the person, or the app for them, has set. */
export type Preferences = Record<string, unknown>;

/** A copy of everything: how far it is, and until when it is there. */
export interface Export {
  id: string;
  state: "waiting" | "running" | "ready" | "failed" | "removed";
  /** percent */
  progress: number;
  /** bytes, once it is ready */
  size: number;
  /** the code of what it failed with */
  problem: string;
  requested_at: string;
  finished_at: string | null;
  expires_at: string | null;
  /** where it is until then, for the same person */
  link: string | null;
}

/** One row of the trail. Of staff and jobs it tells who and why; where from, of the person's own requests only. */
export interface Access {
  id: string;
  at: string;
  /** what kind of actor it was */
  by: "person" | "staff" | "system" | "anonymous";
  /** the id of the person or member of staff, or the name of the job */
  actor: string;
  /** what acted for them, such as an API key */
  client: string | null;
  action: string;
  resource: string;
  outcome: "ok" | "refused" | "failed";
  /** why, as staff gave it, or the code of the problem */
  reason: string;
  request_id: string;
  ip: string | null;
  user_agent: string | null;
}

/** A page of the trail, the newest first. */
export interface AccessLog {
  items: Array<Access>;
  /** the cursor of the next page; null on the last */
  next: string | null;
}

/** An import: how far it is, and what came of it. */
export interface Import {
  id: string;
  format: string;
  dry_run: boolean;
  state: "uploading" | "waiting" | "running" | "done" | "failed" | "cancelled";
  /** percent */
  progress: number;
  /** how large a part may be */
  part_bytes?: number;
  counts: ImportCounts;
  /** what is no message of a conversation, by kind */
  passed_over: Record<string, number>;
  /** what was left out, by line or conversation, and why: the first 1,000 */
  problems: Array<string>;
  /** the code of what it failed with */
  problem: string;
  requested_at: string;
  finished_at: string | null;
}

/** What came of the file so far. */
export interface ImportCounts {
  /** with something new */
  conversations?: number;
  /** that were added */
  memories?: number;
  /** messages that were there already */
  unchanged?: number;
  /** messages that are there with other content, and were kept as they are */
  differing?: number;
  /** messages with nothing in them, or expired */
  skipped?: number;
  /** lines or conversations that were left out */
  refused?: number;
  /** lines of an export that were brought back */
  restored?: number;
  /** lines of an export that bring nothing back */
  passed_over?: number;
}

/** What the file is, and how it is to be read: docs/import.md says what of it each format needs. */
export interface NewImport {
  format: "jsonl" | "chatgpt" | "claude" | "telegram" | "whatsapp";
  /** say what would come in, with nothing written */
  dry_run?: boolean;
  /** stop at the first bad line, with nothing written */
  strict?: boolean;
  /** telegram, whatsapp: the person's own name in the chats */
  me?: string;
  /** of times without one, such as Europe/Lisbon */
  time_zone?: string | null;
  /** whatsapp: their order */
  dates?: "day-first" | "month-first" | "year-first" | null;
  /** whatsapp: the external id of the conversation; by default its first time */
  conversation?: string | null;
}

/** That the file is whole. */
export interface StartedImport {
  /** how many parts it has */
  parts: number;
}

/** A person as a server sees them: that they are there. */
export interface Person {
  id: string;
  /** what `Vibe-Person` names after `uid:` */
  uid: string;
  is_active: boolean;
  created_at: string;
}

/** What a person is made with, if they are not there. Everything may be left out. */
export interface EnsuredPerson {
  /** sealed; a memory by this author has the role `user` */
  name?: string | null;
}

/** A webhook, and the secret that its requests are verified with. */
export interface WebhookWithSecret {
  id: string;
  url: string;
  events: Array<"story.built" | "import.ready" | "export.ready" | "erasure.done" | "grant.opened">;
  active: boolean;
  disabled_at: string | null;
  disabled_why: string;
  /** the first failure after the last success */
  failing_since: string | null;
  /** until then the secret of before signs too */
  old_secret_until: string | null;
  created_at: string;
  /** shown this once */
  secret: string;
}

/** A webhook to be made. */
export interface NewWebhook {
  /** https, of a host with public addresses alone */
  url: string;
  /** `story.built`: a story was built, for the first time or again; `import.ready`: an import is done; `export.ready`: an export can be downloaded; `erasure.done`: a person is erased; `grant.opened`: staff may read a person's content for a while */
  events: Array<"story.built" | "import.ready" | "export.ready" | "erasure.done" | "grant.opened">;
}

/** A webhook, without its secret. */
export interface Webhook {
  id: string;
  url: string;
  events: Array<"story.built" | "import.ready" | "export.ready" | "erasure.done" | "grant.opened">;
  active: boolean;
  disabled_at: string | null;
  disabled_why: string;
  /** the first failure after the last success */
  failing_since: string | null;
  /** until then the secret of before signs too */
  old_secret_until: string | null;
  created_at: string;
}

/** All webhooks of an API key. */
export interface Webhooks {
  items: Array<Webhook>;
}

/** What is to be changed of a webhook; what is left out stays. */
export interface ChangedWebhook {
  /** https, of a host with public addresses alone */
  url?: string | null;
  /** `story.built`: a story was built, for the first time or again; `import.ready`: an import is done; `export.ready`: an export can be downloaded; `erasure.done`: a person is erased; `grant.opened`: staff may read a person's content for a while */
  events?: Array<"story.built" | "import.ready" | "export.ready" | "erasure.done" | "grant.opened"> | null;
  /** false gives up what waits; true takes it up after it was disabled */
  active?: boolean | null;
}

/** A conversation with its texts opened. */
export interface Conversation {
  id: string;
  external_id: string | null;
  title: string | null;
  description: string | null;
  companion: string | null;
  is_archived: boolean;
  memory_count: number;
  started_at: string;
  /** when the last of it was said */
  active_at: string;
  created_at: string;
  updated_at: string;
}

/** A conversation to begin. Everything may be left out. */
export interface NewConversation {
  title?: string | null;
  description?: string | null;
  /** now, if left out */
  started_at?: string | null;
  /** the companion it is with, an id of yours; sealed, and not changed later */
  companion?: string | null;
  /** an id of yours that tells nothing, such as a UUID: it is stored in clear */
  external_id?: string | null;
}

/** A page of conversations, those of the last activity first. */
export interface Conversations {
  items: Array<Conversation>;
  /** the cursor of the next page; null on the last */
  next: string | null;
}

/** What a conversation is begun with, if it is not there. Everything may be left out. */
export interface EnsuredConversation {
  title?: string | null;
  description?: string | null;
  /** now, if left out */
  started_at?: string | null;
  /** the companion it is with, an id of yours; sealed, and not changed later */
  companion?: string | null;
}

/** What is given in a change stays as given; null takes it away; what is not named stays as it was. */
export interface ConversationTexts {
  title?: string | null;
  description?: string | null;
}

/** A memory, opened. */
export interface Memory {
  id: string;
  conversation_id: string;
  message_ids: Array<string>;
  author: string;
  role: Role;
  /** empty where there is metadata alone */
  text: string;
  metadata: Record<string, string | number | boolean | null>;
  /** in UTC */
  occurred_at: string;
  /** minutes east of UTC where it was said; null if not known */
  utc_offset: number | null;
  expires_at: string | null;
  created_at: string;
  updated_at: string;
}

/** The part of a message's speaker. The author is a display name. */
export type Role = "user" | "assistant" | "system" | "tool" | "other";

/** One message to remember: its text, or metadata where there is no text, such as of a picture. */
export interface AddedMemory {
  author: string;
  /** told by the author, if left out */
  role?: Role | null;
  text?: string;
  /** notes of yours, sealed: up to 50 members and 4,096 bytes */
  metadata?: Record<string, string | number | boolean | null> | null;
  /** when it was said; now, if left out */
  occurred_at?: string | null;
  /** when it is to be forgotten; never, if left out */
  expires_at?: string | null;
  /** an id of yours, once in a conversation, stored in clear */
  message_id?: string | null;
}

/** A page of a conversation, in the order it was said, or with `order=desc` the last first. */
export interface Memories {
  items: Array<Memory>;
  /** the cursor of the next page; null on the last */
  next: string | null;
}

/** What was added, in the order given. */
export interface MemoriesAdded {
  /** null, in the answer to a retry, for what is gone since */
  items: Array<Memory | null>;
}

/** A batch: all of it is added, or none. */
export interface AddedMemories {
  memories: Array<AddedMemory>;
}

/** One message to stand in place of the one of its message id, or to be added under it. */
export interface PutMemory {
  author: string;
  /** told by the author, if left out */
  role?: Role | null;
  text?: string;
  /** notes of yours, sealed: up to 50 members and 4,096 bytes */
  metadata?: Record<string, string | number | boolean | null> | null;
  /** when it was said; now, if left out */
  occurred_at?: string | null;
  /** when it is to be forgotten; never, if left out */
  expires_at?: string | null;
}

/** Another memory that says the same. */
export interface Copy {
  id: string;
  occurred_at: string;
}

/** A memory that answers. */
export interface FoundMemory {
  id: string;
  conversation_id: string;
  /** the story of its episode; null if the person deleted that */
  story_id: string | null;
  message_ids: Array<string>;
  occurred_at: string;
  author: string;
  /** the author's part */
  role: Role;
  text: string;
  /** the probability that it answers the question, from 0 to 1; comparable between questions */
  score: number;
  /** what put it in its place, part by part */
  why: Record<string, number>;
  /** how often the same was said by the same author, as far as search looked */
  times: number;
  /** the others that say the same, oldest first: they are no results of their own */
  copies: Array<Copy>;
}

/** The memories that answer best, best first. */
export interface MemoriesFound {
  items: Array<FoundMemory>;
  /** why this is less than it could be, such as words alone */
  degraded: string | null;
  /** memories that are not fully in the index yet: a job sees to them within a second or so */
  pending: number;
}

/** A question, and what the memories are narrowed to. One name of a kind is enough; all the rest must hold. */
export interface MemorySearch {
  /** whom the story tells of */
  people?: Array<string>;
  places?: Array<string>;
  events?: Array<string>;
  /** who said it, by the name that stands with it */
  authors?: Array<string>;
  /** who said it, by their part */
  roles?: Array<Role>;
  /** said then or later */
  since?: string | null;
  /** said then or earlier */
  until?: string | null;
  conversation_id?: string | null;
  /** said to this companion */
  companion?: string | null;
  /** what its metadata has, each member with this value; among the first 16 of it */
  metadata?: Record<string, string | number | boolean | null>;
  /** of archived conversations only, or of active ones */
  archived?: boolean | null;
  question: string;
  /** when the question is asked, in the time zone of the person: "last week" is reckoned from then. Without it, from now, in UTC */
  asked_at?: string | null;
  /** how many at most */
  limit?: number;
  /** newest: of what fits about as well, the newest first */
  prefer?: "best" | "newest";
  /** leave out what answers with a smaller probability */
  min_score?: number;
}

/** A page of memories, the newest first. */
export interface FilteredMemories {
  items: Array<Memory>;
  /** the cursor of the next page; null on the last */
  next: string | null;
  /** memories that are not fully in the index yet: a job sees to them within a second or so */
  pending: number;
}

/** What memories are listed by. One name of a kind is enough; all the rest must hold. */
export interface MemoryFilter {
  /** whom the story tells of */
  people?: Array<string>;
  places?: Array<string>;
  events?: Array<string>;
  /** who said it, by the name that stands with it */
  authors?: Array<string>;
  /** who said it, by their part */
  roles?: Array<Role>;
  /** said then or later */
  since?: string | null;
  /** said then or earlier */
  until?: string | null;
  conversation_id?: string | null;
  /** said to this companion */
  companion?: string | null;
  /** what its metadata has, each member with this value; among the first 16 of it */
  metadata?: Record<string, string | number | boolean | null>;
  /** of archived conversations only, or of active ones */
  archived?: boolean | null;
  /** what its metadata has of several: all that one of them names */
  metadata_any?: Array<Record<string, string | number | boolean | null>>;
  /** how many at most */
  limit?: number;
  cursor?: string | null;
}

/** A conversation by its external id, and what it is begun with, if it is not there. */
export interface NamedConversation {
  title?: string | null;
  description?: string | null;
  /** now, if left out */
  started_at?: string | null;
  /** the companion it is with, an id of yours; sealed, and not changed later */
  companion?: string | null;
  /** an id of yours that tells nothing, such as a UUID: it is stored in clear */
  external_id: string;
}

/** One message to remember, and the conversation it is of. */
export interface RememberedMemory {
  author: string;
  /** told by the author, if left out */
  role?: Role | null;
  text?: string;
  /** notes of yours, sealed: up to 50 members and 4,096 bytes */
  metadata?: Record<string, string | number | boolean | null> | null;
  /** when it was said; now, if left out */
  occurred_at?: string | null;
  /** when it is to be forgotten; never, if left out */
  expires_at?: string | null;
  /** an id of yours, once in a conversation, stored in clear */
  message_id?: string | null;
  conversation: NamedConversation;
}

/** Memories that were deleted. */
export interface ForgottenMemories {
  items: Array<ForgottenMemory>;
  /** whether more may be left: then ask again */
  more: boolean;
}

/** A memory that is gone. */
export interface ForgottenMemory {
  id: string;
}

/** What is to be corrected; what is left out stays. */
export interface ChangedMemory {
  author?: string | null;
  role?: Role | null;
  text?: string | null;
  /** in place of all that is there; null takes it away */
  metadata?: Record<string, string | number | boolean | null> | null;
  occurred_at?: string | null;
  /** null takes it away */
  expires_at?: string | null;
}

/** A message as chat calls take it, those of OpenAI and of Anthropic. */
export interface ChatMessage {
  role: "user" | "assistant";
  content: string;
}

/** What is known that bears on a message. */
export interface Context {
  /** what is known, as the first of them, and the last turns; null for `text` */
  messages: Array<ChatMessage> | null;
  /** all of it; null for `messages` */
  text: string | null;
  /** what it is made of, in this order */
  pieces: Array<ContextPiece>;
  /** its length by estimate, never more than was asked for */
  tokens: number;
  characters: number;
  /** why this is less than it could be, such as words alone */
  degraded: string | null;
  /** memories that are not fully in the index yet: a job sees to them within a second or so */
  pending: number;
}

/** Something that a context shows. */
export interface ContextPiece {
  /** what it is called in the text */
  label: string;
  part: "instructions" | "facts" | "upcoming" | "passages" | "episodes" | "turns";
  /** of a memory; of an episode, its story; of the first three parts, a fact */
  id: string;
  occurred_at: string | null;
  /** who said it; of an episode its title; of a fact empty */
  author: string;
  /** as it is shown */
  text: string;
  /** false where sentences were left out */
  is_whole: boolean;
}

/** What is about to be answered, and how much may be said of it. */
export interface WantedContext {
  /** what the person says now; without it, no passages */
  message?: string | null;
  /** where it is said; without it, no turns */
  conversation_id?: string | null;
  /** of what was said to this companion alone */
  companion?: string | null;
  /** so many at most, by estimate */
  tokens?: number;
  /** in place of `tokens` */
  characters?: number | null;
  /** what it is made of */
  parts?: Array<"instructions" | "facts" | "upcoming" | "passages" | "episodes" | "turns">;
  /** `messages`: for chat calls; `text`: one text, with the last turns in it */
  format?: "messages" | "text";
  /** when, in which zone; now, in UTC, if left out */
  asked_at?: string | null;
}

/** The stories that answer best, best first. */
export interface Answer {
  items: Array<Found>;
  /** why this is less than it could be, such as words alone */
  degraded: string | null;
  /** memories that are not fully in the index yet: a job sees to them within a second or so */
  pending: number;
}

/** A story that answers, with what of it does. */
export interface Found {
  id: string;
  conversation_id: string;
  /** null until the story is built */
  title: string | null;
  occurred_at: string;
  /** the probability that it answers the question, from 0 to 1; comparable between questions: that of its best passage */
  score: number;
  passages: Array<Passage>;
}

/** What of a story answers the question. */
export interface Passage {
  /** null for what the person wrote themself: the corrected title or text */
  memory_id: string | null;
  message_ids: Array<string>;
  occurred_at: string;
  author: string;
  text: string;
  /** the probability that it answers the question, from 0 to 1; comparable between questions */
  score: number;
}

/** A question, and what the passages are narrowed to by which stories are found. */
export interface Search {
  /** whom the story tells of */
  people?: Array<string>;
  places?: Array<string>;
  events?: Array<string>;
  /** who said it, by the name that stands with it */
  authors?: Array<string>;
  /** who said it, by their part */
  roles?: Array<Role>;
  /** said then or later */
  since?: string | null;
  /** said then or earlier */
  until?: string | null;
  conversation_id?: string | null;
  /** said to this companion */
  companion?: string | null;
  /** what its metadata has, each member with this value; among the first 16 of it */
  metadata?: Record<string, string | number | boolean | null>;
  /** of archived conversations only, or of active ones */
  archived?: boolean | null;
  question: string;
  /** when the question is asked, in the time zone of the person: "last week" is reckoned from then. Without it, from now, in UTC */
  asked_at?: string | null;
  /** how many at most */
  limit?: number;
  /** newest: of what fits about as well, the newest first */
  prefer?: "best" | "newest";
  /** leave out what answers with a smaller probability */
  min_score?: number;
  /** how many passages of each story at most */
  passages?: number;
}

/** Who did what, and when. */
export interface Event {
  who: string;
  what: string;
  when: string | null;
  precision: "day" | "weekend" | "week" | "month" | "season" | "year" | "none";
  memory_id: string | null;
}

/** A page of stories, the newest first. */
export interface Stories {
  items: Array<Story>;
  /** the cursor of the next page; null on the last */
  next: string | null;
}

/** An episode of a conversation, and what happened in it once that is built. */
export interface Story {
  id: string;
  conversation_id: string;
  /** null until the story is built */
  title: string | null;
  /** null until the story is built */
  text: string | null;
  people: Array<string>;
  places: Array<string>;
  events: Array<Event>;
  occurred_from: string;
  occurred_to: string;
  /** the memories it was built from */
  memory_ids: Array<string>;
  /** which of these stand as the person corrected them */
  corrected: Array<string>;
  /** what built it; empty until then */
  processor: string;
  created_at: string;
  built_at: string | null;
}

/** What is to stand in the story instead; what is left out stays as it was told. */
export interface CorrectedStory {
  title?: string | null;
  text?: string | null;
  people?: Array<string> | null;
  places?: Array<string> | null;
  events?: Array<EventIn> | null;
}

/** Who did what, and when, as far as it is known. */
export interface EventIn {
  who: string;
  what: string;
  /** its first day */
  when?: string | null;
  /** what the date stands for; none without one */
  precision?: "day" | "weekend" | "week" | "month" | "season" | "year" | "none";
  /** the memory that tells of it */
  memory_id?: string | null;
}

/** What holds, or held. */
export interface Fact {
  id: string;
  /** empty for the person; else the speaker who said it of themselves */
  subject: string;
  attribute: string;
  value: string;
  /** null if nobody said since when */
  valid_from: string | null;
  /** null if it still holds */
  valid_to: string | null;
  /** of an appointment, a trip or a plan */
  day: string | null;
  learned_at: string;
  /** whether it is as the person corrected it */
  corrected: boolean;
  /** the fact that ended it */
  superseded_by: string | null;
  sources: Array<FactSource>;
}

/** Where something of it was said; without a memory, it is what the person said of the fact itself. */
export interface FactSource {
  said_at: string;
  role: Role;
  memory_id: string | null;
  conversation_id: string | null;
  /** where it begins in the memory's text, in characters */
  start: number;
  end: number;
}

/** Facts, the newest learned first. */
export interface Facts {
  items: Array<Fact>;
}

/** What is so instead; what is left out stays. */
export interface CorrectedFact {
  value?: string | null;
  /** since when; null if that is not known */
  valid_from?: string | null;
  /** until when; null if it still holds */
  valid_to?: string | null;
}

/** A page of them. */
export interface EntitiesPage {
  items: Array<Entity>;
  /** the cursor of the next page; null on the last */
  next: string | null;
}

/** A person, place or event that stories tell of. */
export interface Entity {
  id: string;
  name: string;
  /** how many tell of it */
  stories: number;
  /** when the first of them begins */
  first: string;
  /** when the last of them ends */
  last: string;
}

/** What is wrong with one field. */
export interface ProblemField {
  field: string;
  code: string;
  detail: string;
}

/** RFC 9457. `code` stays what it is; `detail` is for people and may change. */
export interface Problem {
  /** always about:blank: `code` says what kind it is */
  type: string;
  title: string;
  status: number;
  code: "api-key-invalid" | "audit-unavailable" | "bad-request" | "body-too-large" | "busy" | "companion-bound" | "credentials-missing" | "cursor-invalid" | "deactivated" | "email-unverified" | "ends-before-it-begins" | "etag-malformed" | "expiry-past" | "export-under-way" | "external-id-taken" | "failed" | "files-unavailable" | "gone" | "idempotency-key-malformed" | "idempotency-key-used" | "import-under-way" | "input" | "internal-server-error" | "invalid" | "key-service-away" | "key-service-refuses" | "length-required" | "malformed-body" | "message-id-taken" | "method-not-allowed" | "no-such-attribute" | "not-encrypted" | "not-found" | "nothing-said" | "number-too-large" | "other-companion" | "outdated" | "person-ambiguous" | "person-unknown" | "processing-restricted" | "pooler-misconfigured" | "preferences-too-large" | "range-missing" | "refused" | "scope-missing" | "service-unavailable" | "sign-in-unavailable" | "still-changing" | "still-running" | "storage-day-full" | "storage-full" | "token-expired" | "token-invalid" | "token-revoked" | "too-many-requests" | "unsupported-media-type" | "vectors-changing" | "webhook-address-refused" | "webhook-host-unknown" | "webhook-there";
  detail: string;
  /** the trail has it too */
  request_id: string;
  /** of a 409, the id of what is there already */
  existing_id?: string | null;
  /** the fields at fault, where it is fields: the first 20 */
  errors?: Array<ProblemField> | null;
  /** how many more fields are at fault */
  more_errors?: number | null;
}
