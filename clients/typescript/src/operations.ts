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

  /** Return the person who is signed in. */
  getMe(options: Options = {}): Promise<types.Me> {
    return this.call("GET", `/me`, { ...options });
  }

  /** Schedule your erasure: all your data is deleted when the grace period ends. You cannot sign in from now on. */
  eraseMe(options: Options = {}): Promise<types.Erasure> {
    return this.call("DELETE", `/me`, { ...options });
  }

  /** Return all preferences. */
  getPreferences(options: Options = {}): Promise<types.Preferences> {
    return this.call("GET", `/me/preferences`, { ...options });
  }

  /** Change preferences by a JSON Merge Patch (RFC 7396): a null removes a key. All changes are made, or none. */
  changePreferences(body: Record<string, unknown>, options: Options = {}): Promise<types.Preferences> {
    return this.call("PATCH", `/me/preferences`, { body, ...options });
  }

  /** Start an export of all your data as JSON Lines. If one is under way already, it is returned.

With a credential of one companion it is of what was said to that companion. */
  requestMyExport(options: Options = {}): Promise<types.Export> {
    return this.call("POST", `/me/export`, { ...options });
  }

  /** Return the state of the newest export, with its link once it is ready. */
  getMyExport(options: Options = {}): Promise<types.Export> {
    return this.call("GET", `/me/export`, { ...options });
  }

  /** Download the newest export, decrypted. The download is recorded in the audit log. */
  downloadMyExport(query: { link: string }, options: Options = {}): Promise<string> {
    return this.call("GET", `/me/export/file`, { query, ...options });
  }

  /** List who did what with your data, when and why. */
  listAccess(query: { limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Access> {
    return this.pages("GET", `/me/access-log`, { query, ...options });
  }

  /** Begin an import of a file. Send its parts next, then start it. A person has one at a time. */
  beginMyImport(body: types.NewImport, options: Options = {}): Promise<types.Import> {
    return this.call("POST", `/me/import`, { body, ...options });
  }

  /** The newest import as it stands. */
  getMyImport(options: Options = {}): Promise<types.Import> {
    return this.call("GET", `/me/import`, { ...options });
  }

  /** One import as it stands: its progress, its counts and its problems by line. */
  getImport(importId: string, options: Options = {}): Promise<types.Import> {
    return this.call("GET", `/me/import/${quoted(importId)}`, { ...options });
  }

  /** Cancel an import that does not run yet, and remove what was uploaded. */
  cancelImport(importId: string, options: Options = {}): Promise<void> {
    return this.call("DELETE", `/me/import/${quoted(importId)}`, { ...options });
  }

  /** Upload a part of the file: 4 MiB of bytes at most. Sent again, it replaces the one of that number. */
  putImportPart(importId: string, number: number, body: Blob, options: Options = {}): Promise<void> {
    return this.call("PUT", `/me/import/${quoted(importId)}/parts/${quoted(number)}`, { body, ...options });
  }

  /** Start the import, once all parts are uploaded. A job does it. */
  startImport(importId: string, body: types.StartedImport, options: Options = {}): Promise<types.Import> {
    return this.call("POST", `/me/import/${quoted(importId)}/start`, { body, ...options });
  }

  /** Return the person with this UID; create them (201) if there is none. */
  ensureUser(uid: string, body: types.EnsuredPerson, options: Options = {}): Promise<types.Person> {
    return this.call("PUT", `/users/${quoted(uid)}`, { body, ...options });
  }

  /** Return the person with this UID. */
  getUser(uid: string, options: Options = {}): Promise<types.Person> {
    return this.call("GET", `/users/${quoted(uid)}`, { ...options });
  }

  /** Deactivate a person: their next request is refused. Their data stays, and support can undo it. */
  deactivateUser(uid: string, options: Options = {}): Promise<types.Person> {
    return this.call("POST", `/users/${quoted(uid)}/deactivate`, { ...options });
  }

  /** Make a webhook of this API key. Its secret is in the answer, this once. */
  createWebhook(body: types.NewWebhook, options: Options = {}): Promise<types.WebhookWithSecret> {
    return this.call("POST", `/webhooks`, { body, ...options });
  }

  /** Return the webhooks of this API key, ten at most, the oldest first. */
  listWebhooks(options: Options = {}): Promise<types.Webhooks> {
    return this.call("GET", `/webhooks`, { ...options });
  }

  /** Return a webhook of this API key. */
  getWebhook(webhookId: string, options: Options = {}): Promise<types.Webhook> {
    return this.call("GET", `/webhooks/${quoted(webhookId)}`, { ...options });
  }

  /** Change the address or the events of a webhook, disable it, or enable it again. */
  changeWebhook(webhookId: string, body: types.ChangedWebhook, options: Options = {}): Promise<types.Webhook> {
    return this.call("PATCH", `/webhooks/${quoted(webhookId)}`, { body, ...options });
  }

  /** Delete a webhook, its secrets and its deliveries. */
  deleteWebhook(webhookId: string, options: Options = {}): Promise<void> {
    return this.call("DELETE", `/webhooks/${quoted(webhookId)}`, { ...options });
  }

  /** Give a webhook a new secret. It is in the answer, this once; for a day the one of before signs too. */
  rotateWebhookSecret(webhookId: string, options: Options = {}): Promise<types.WebhookWithSecret> {
    return this.call("POST", `/webhooks/${quoted(webhookId)}/rotate-secret`, { ...options });
  }

  /** Create a conversation. */
  createConversation(body: types.NewConversation, options: Options = {}): Promise<types.Conversation> {
    return this.call("POST", `/conversations`, { body, ...options });
  }

  /** List conversations, the most recently active first: active, archived, or those of given ids. */
  listConversations(query: { archived?: boolean | null; companion?: string | null; external_id?: string | null; limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Conversation> {
    return this.pages("GET", `/conversations`, { query, ...options });
  }

  /** Return the conversation with this external id; create it (201) if there is none. */
  ensureConversation(externalId: string, body: types.EnsuredConversation, options: Options = {}): Promise<types.Conversation> {
    return this.call("PUT", `/conversations/by-external-id/${quoted(externalId)}`, { body, ...options });
  }

  /** Return a conversation. */
  getConversation(conversationId: string, options: Options = {}): Promise<types.Conversation> {
    return this.call("GET", `/conversations/${quoted(conversationId)}`, { ...options });
  }

  /** Change the title or description by a JSON Merge Patch: a null removes it. */
  changeConversation(conversationId: string, body: types.ConversationTexts, options: Options = {}): Promise<types.Conversation> {
    return this.call("PATCH", `/conversations/${quoted(conversationId)}`, { body, ...options });
  }

  /** Delete a conversation with its memories and stories, for good. */
  deleteConversation(conversationId: string, options: Options = {}): Promise<void> {
    return this.call("DELETE", `/conversations/${quoted(conversationId)}`, { ...options });
  }

  /** Archive a conversation: it leaves the active ones, and nothing of it is lost. */
  archiveConversation(conversationId: string, options: Options = {}): Promise<types.Conversation> {
    return this.call("POST", `/conversations/${quoted(conversationId)}/archive`, { ...options });
  }

  /** Make an archived conversation active again. */
  unarchiveConversation(conversationId: string, options: Options = {}): Promise<types.Conversation> {
    return this.call("POST", `/conversations/${quoted(conversationId)}/unarchive`, { ...options });
  }

  /** Add one message. */
  addMemory(conversationId: string, body: types.AddedMemory, options: Options = {}): Promise<types.Memory> {
    return this.call("POST", `/conversations/${quoted(conversationId)}/memories`, { body, ...options });
  }

  /** List the messages of a conversation in order. `last` and `around` exclude `order` and `cursor`. */
  listMemories(conversationId: string, query: { order?: "asc" | "desc"; last?: number | null; around?: string | null; limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Memory> {
    return this.pages("GET", `/conversations/${quoted(conversationId)}/memories`, { query, ...options });
  }

  /** Add up to 1,000 messages: all of them, or none. */
  addMemories(conversationId: string, body: types.AddedMemories, options: Options = {}): Promise<types.MemoriesAdded> {
    return this.call("POST", `/conversations/${quoted(conversationId)}/memories/batch`, { body, ...options });
  }

  /** Replace the message with this message id, such as a regenerated reply; add it (201) if there is none. */
  putMemory(conversationId: string, messageId: string, body: types.PutMemory, options: Options = {}): Promise<types.Memory> {
    return this.call("PUT", `/conversations/${quoted(conversationId)}/memories/by-message-id/${quoted(messageId)}`, { body, ...options });
  }

  /** Search memories: the messages that bear on a question. What was just added is found. */
  searchMemories(body: types.MemorySearch, options: Options = {}): Promise<types.MemoriesFound> {
    return this.call("POST", `/memories/search`, { body, ...options });
  }

  /** List memories by their metadata, the newest first. The filter is in the body, so that no log of URLs holds it. */
  filterMemories(body: types.MemoryFilter, options: Options = {}): AsyncGenerator<types.Memory> {
    return this.pages("POST", `/memories/filter`, { body, ...options });
  }

  /** Add one message to the conversation with an external id, which is created if there is none. */
  remember(body: types.RememberedMemory, options: Options = {}): Promise<types.Memory> {
    return this.call("POST", `/memories`, { body, ...options });
  }

  /** Delete the memories of a period for good, the oldest 100 at a time: call again while `more` is true. */
  forgetMemories(query: { since?: string | null; until?: string | null; conversation_id?: string | null; companion?: string | null } = {}, options: Options = {}): Promise<types.ForgottenMemories> {
    return this.call("DELETE", `/memories`, { query, ...options });
  }

  /** Return a memory. */
  getMemory(memoryId: string, options: Options = {}): Promise<types.Memory> {
    return this.call("GET", `/memories/${quoted(memoryId)}`, { ...options });
  }

  /** Correct the text, author, time or expiry of a memory. Its story is rebuilt. */
  changeMemory(memoryId: string, body: types.ChangedMemory, options: Options = {}): Promise<types.Memory> {
    return this.call("PATCH", `/memories/${quoted(memoryId)}`, { body, ...options });
  }

  /** Delete a memory for good. Search no longer finds it; its story is rebuilt. */
  deleteMemory(memoryId: string, options: Options = {}): Promise<void> {
    return this.call("DELETE", `/memories/${quoted(memoryId)}`, { ...options });
  }

  /** What is known that bears on a message, ready for a prompt: one call before a companion answers. */
  readContext(body: types.WantedContext, options: Options = {}): Promise<types.Context> {
    return this.call("POST", `/context`, { body, ...options });
  }

  /** Search stories. The question is in the body, so that no log of URLs holds it. */
  searchStories(body: types.Search, options: Options = {}): Promise<types.Answer> {
    return this.call("POST", `/stories/search`, { body, ...options });
  }

  /** List stories, the newest first. */
  listStories(query: { limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Story> {
    return this.pages("GET", `/stories`, { query, ...options });
  }

  /** Return a story. */
  getStory(storyId: string, options: Options = {}): Promise<types.Story> {
    return this.call("GET", `/stories/${quoted(storyId)}`, { ...options });
  }

  /** Correct a story in the person's own words. Corrections survive a rebuild. */
  correctStory(storyId: string, body: types.CorrectedStory, options: Options = {}): Promise<types.Story> {
    return this.call("PATCH", `/stories/${quoted(storyId)}`, { body, ...options });
  }

  /** Delete a story. Its messages stay and are found by search; no other story is made of them. */
  deleteStory(storyId: string, options: Options = {}): Promise<void> {
    return this.call("DELETE", `/stories/${quoted(storyId)}`, { ...options });
  }

  /** Rebuild a story. Corrections stay, unless the request discards them. */
  rebuildStory(storyId: string, query: { forget_corrections?: boolean } = {}, options: Options = {}): Promise<void> {
    return this.call("POST", `/stories/${quoted(storyId)}/rebuild`, { query, ...options });
  }

  /** What holds now, or held at a moment, or all that ever did; the newest learned first. */
  listFacts(query: { as_of?: string | null; history?: boolean; attribute?: string | null } = {}, options: Options = {}): Promise<types.Facts> {
    return this.call("GET", `/facts`, { query, ...options });
  }

  /** Put the person's word in its place, or say when it began or ended. It outranks what was said before. */
  correctFact(factId: string, body: types.CorrectedFact, options: Options = {}): Promise<types.Fact> {
    return this.call("PATCH", `/facts/${quoted(factId)}`, { body, ...options });
  }

  /** Forget it. It is not learned again from what was said before; on request its memories are deleted too. */
  forgetFact(factId: string, query: { with_memories?: boolean } = {}, options: Options = {}): Promise<void> {
    return this.call("DELETE", `/facts/${quoted(factId)}`, { query, ...options });
  }

  /** List the people in stories, those in the most stories first. */
  listPeople(query: { limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Entity> {
    return this.pages("GET", `/people`, { query, ...options });
  }

  /** List the places in stories, those in the most stories first. */
  listPlaces(query: { limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Entity> {
    return this.pages("GET", `/places`, { query, ...options });
  }

  /** List the events in stories, those in the most stories first. */
  listEvents(query: { limit?: number } = {}, options: Options = {}): AsyncGenerator<types.Entity> {
    return this.pages("GET", `/events`, { query, ...options });
  }
}
