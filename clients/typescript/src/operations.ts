// All operations of the API. Made by scripts/make_clients.py from the description of the API: `make clients` makes it anew.
import type * as types from "./types.js";

export interface Options {
  /** Made for you, if left out. */
  idempotencyKey?: string;
  /** `etag(thing)`: nothing is done if it was changed since. */
  ifMatch?: string;
  signal?: AbortSignal;
}

export interface How extends Options {
  query?: object;
  body?: object;
}

const quoted = encodeURIComponent;

export abstract class Operations {
  abstract call<T>(method: string, path: string, how?: How): Promise<T>;
  abstract pages<T>(method: string, path: string, how?: How): AsyncGenerator<T>;

  /** Who calls. */
  getMe(options: Options = {}): Promise<types.Me> {
    return this.call("GET", `/me`, { ...options });
  }

  /** Be erased once the grace period is over. From now on nobody comes in as this person. */
  eraseMe(options: Options = {}): Promise<types.Erasure> {
    return this.call("DELETE", `/me`, { ...options });
  }

  /** What is set. */
  getPreferences(options: Options = {}): Promise<types.Preferences> {
    return this.call("GET", `/me/preferences`, { ...options });
  }

  /** Set some of it, and take away what is null (a JSON Merge Patch, RFC 7396). All of it holds, or none. */
  changePreferences(body: Record<string, unknown>, options: Options = {}): Promise<types.Preferences> {
    return this.call("PATCH", `/me/preferences`, { body, ...options });
  }

  /** Ask for everything, as JSON Lines. A job writes it; the one under way is given where there is one. */
  requestMyExport(options: Options = {}): Promise<types.Export> {
    return this.call("POST", `/me/export`, { ...options });
  }

  /** The newest export as it stands, with its link once it is ready. */
  getMyExport(options: Options = {}): Promise<types.Export> {
    return this.call("GET", `/me/export`, { ...options });
  }

  /** The archive, opened. It is streamed after its row in the trail has been written. */
  downloadMyExport(query: { link: string }, options: Options = {}): Promise<string> {
    return this.call("GET", `/me/export/file`, { query, ...options });
  }

  /** Who did what with your data, when and why. */
  listAccess(query: { limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Access> {
    return this.pages("GET", `/me/access-log`, { query, ...options });
  }

  /** The person of this UID: made with what is given (201), or as they are there already (200). */
  ensureUser(uid: string, body: types.EnsuredPerson, options: Options = {}): Promise<types.Person> {
    return this.call("PUT", `/users/${quoted(uid)}`, { body, ...options });
  }

  /** The person of this UID. */
  getUser(uid: string, options: Options = {}): Promise<types.Person> {
    return this.call("GET", `/users/${quoted(uid)}`, { ...options });
  }

  /** Let nobody in as this person any more, from the next request on. Their data stays; support can undo it. */
  deactivateUser(uid: string, options: Options = {}): Promise<types.Person> {
    return this.call("POST", `/users/${quoted(uid)}/deactivate`, { ...options });
  }

  /** Begin a conversation. */
  createConversation(body: types.NewConversation, options: Options = {}): Promise<types.Conversation> {
    return this.call("POST", `/conversations`, { body, ...options });
  }

  /** Conversations, those of the last activity first: the active ones, the archived ones, or those one asks for. */
  listConversations(query: { archived?: boolean | null; companion?: string | null; external_id?: string | null; limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Conversation> {
    return this.pages("GET", `/conversations`, { query, ...options });
  }

  /** The conversation of this external id: begun with what is given (201), or as it is there already (200). */
  ensureConversation(externalId: string, body: types.EnsuredConversation, options: Options = {}): Promise<types.Conversation> {
    return this.call("PUT", `/conversations/by-external-id/${quoted(externalId)}`, { body, ...options });
  }

  /** One conversation. */
  getConversation(conversationId: string, options: Options = {}): Promise<types.Conversation> {
    return this.call("GET", `/conversations/${quoted(conversationId)}`, { ...options });
  }

  /** Give it another title or description (a JSON Merge Patch: null takes one away). */
  changeConversation(conversationId: string, body: types.ConversationTexts, options: Options = {}): Promise<types.Conversation> {
    return this.call("PATCH", `/conversations/${quoted(conversationId)}`, { body, ...options });
  }

  /** Delete it with its memories and its story, for good. */
  deleteConversation(conversationId: string, options: Options = {}): Promise<void> {
    return this.call("DELETE", `/conversations/${quoted(conversationId)}`, { ...options });
  }

  /** Put it away: it leaves the active ones, and nothing of it is lost. */
  archiveConversation(conversationId: string, options: Options = {}): Promise<types.Conversation> {
    return this.call("POST", `/conversations/${quoted(conversationId)}/archive`, { ...options });
  }

  /** Take it out again. */
  unarchiveConversation(conversationId: string, options: Options = {}): Promise<types.Conversation> {
    return this.call("POST", `/conversations/${quoted(conversationId)}/unarchive`, { ...options });
  }

  /** Remember one message. */
  addMemory(conversationId: string, body: types.AddedMemory, options: Options = {}): Promise<types.Memory> {
    return this.call("POST", `/conversations/${quoted(conversationId)}/memories`, { body, ...options });
  }

  /** What was said in a conversation, in order. Beside `last` or `around` neither `order` nor `cursor` is given. */
  listMemories(conversationId: string, query: { order?: "asc" | "desc"; last?: number | null; around?: string | null; limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Memory> {
    return this.pages("GET", `/conversations/${quoted(conversationId)}/memories`, { query, ...options });
  }

  /** Remember up to 1,000 messages: all of them, or none. */
  addMemories(conversationId: string, body: types.AddedMemories, options: Options = {}): Promise<types.MemoriesAdded> {
    return this.call("POST", `/conversations/${quoted(conversationId)}/memories/batch`, { body, ...options });
  }

  /** Put a message in place of that of this message id, such as a reply that was generated anew; or add it (201). */
  putMemory(conversationId: string, messageId: string, body: types.PutMemory, options: Options = {}): Promise<types.Memory> {
    return this.call("PUT", `/conversations/${quoted(conversationId)}/memories/by-message-id/${quoted(messageId)}`, { body, ...options });
  }

  /** Ask for memories: the very messages that answer. What was added just now is found. */
  searchMemories(body: types.MemorySearch, options: Options = {}): Promise<types.MemoriesFound> {
    return this.call("POST", `/memories/search`, { body, ...options });
  }

  /** List memories by what is noted of them, the newest first. It travels in the body, as questions do. */
  filterMemories(body: types.MemoryFilter, options: Options = {}): AsyncGenerator<types.Memory> {
    return this.pages("POST", `/memories/filter`, { body, ...options });
  }

  /** Remember one message in the conversation of an external id, which is begun if it is not there. */
  remember(body: types.RememberedMemory, options: Options = {}): Promise<types.Memory> {
    return this.call("POST", `/memories`, { body, ...options });
  }

  /** Delete what was said in a time for good, the oldest 100 of it first: ask again while there is `more`. */
  forgetMemories(query: { since?: string | null; until?: string | null; conversation_id?: string | null; companion?: string | null } = {}, options: Options = {}): Promise<types.ForgottenMemories> {
    return this.call("DELETE", `/memories`, { query, ...options });
  }

  /** One memory. */
  getMemory(memoryId: string, options: Options = {}): Promise<types.Memory> {
    return this.call("GET", `/memories/${quoted(memoryId)}`, { ...options });
  }

  /** Correct what it says, who said it, or when; or when it is to be forgotten. Its story is rebuilt. */
  changeMemory(memoryId: string, body: types.ChangedMemory, options: Options = {}): Promise<types.Memory> {
    return this.call("PATCH", `/memories/${quoted(memoryId)}`, { body, ...options });
  }

  /** Delete it for good. Search no longer finds it; its story is rebuilt. */
  deleteMemory(memoryId: string, options: Options = {}): Promise<void> {
    return this.call("DELETE", `/memories/${quoted(memoryId)}`, { ...options });
  }

  /** Ask for stories. The question travels in the body, so that it stands in no log of addresses. */
  searchStories(body: types.Search, options: Options = {}): Promise<types.Answer> {
    return this.call("POST", `/stories/search`, { body, ...options });
  }

  /** The stories, the newest first. */
  listStories(query: { limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Story> {
    return this.pages("GET", `/stories`, { query, ...options });
  }

  /** One story. */
  getStory(storyId: string, options: Options = {}): Promise<types.Story> {
    return this.call("GET", `/stories/${quoted(storyId)}`, { ...options });
  }

  /** Put the person's own words in it. They stay when it is told anew. */
  correctStory(storyId: string, body: types.CorrectedStory, options: Options = {}): Promise<types.Story> {
    return this.call("PATCH", `/stories/${quoted(storyId)}`, { body, ...options });
  }

  /** Delete it. Its conversation stays, and is told again once something is added to it. */
  deleteStory(storyId: string, options: Options = {}): Promise<void> {
    return this.call("DELETE", `/stories/${quoted(storyId)}`, { ...options });
  }

  /** Have it told anew. What was corrected stays, unless it is to be forgotten. */
  rebuildStory(storyId: string, query: { forget_corrections?: boolean } = {}, options: Options = {}): Promise<void> {
    return this.call("POST", `/stories/${quoted(storyId)}/rebuild`, { query, ...options });
  }

  /** The people that stories tell of, those of the most stories first. */
  listPeople(query: { limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Entity> {
    return this.pages("GET", `/people`, { query, ...options });
  }

  /** The places, those of the most stories first. */
  listPlaces(query: { limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Entity> {
    return this.pages("GET", `/places`, { query, ...options });
  }

  /** The events, those of the most stories first. */
  listEvents(query: { limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Entity> {
    return this.pages("GET", `/events`, { query, ...options });
  }
}
