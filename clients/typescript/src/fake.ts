// A fake of the API for an app's own tests: it keeps everything in memory, and answers as the server does.
//
//     const vibe = new Vibe("https://memory.example", "anyone", { fetch: new FakeVibe().fetch });
//
// Whose memory it is follows from `Vibe-Person` or else from the token. It knows people, conversations, memories and
// preferences; of facts what a test puts there. It builds no stories, searches and makes contexts by the words that are
// shared, and checks no limits.
import type * as types from "./types.js";

type Conversation = types.Conversation;
type Memory = types.Memory;
type Answer = [status: number, body?: object];
type Body = Record<string, any>;

const FIRST_MEMBERS = 16; // of metadata, by which memories are found
const AT_ONCE = 100; // memories that one call forgets
const ROLES: [types.Role, string[]][] = [
  ["user", ["user", "human", "me", "myself", "i", "you"]],
  ["assistant", ["assistant", "ai", "bot", "chatbot", "model", "companion", "llm", "agent"]],
  ["system", ["system", "developer", "sys"]],
  ["tool", ["tool", "function", "plugin"]],
];

class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly more: object = {},
  ) {
    super(code);
  }
}

class Person {
  id = crypto.randomUUID() as string;
  name: string | null = null;
  isActive = true;
  createdAt = now();
  preferences: Body = {};
  conversations = new Map<string, Conversation>();
  memories = new Map<string, Memory>();
  /** What a test puts here: the fake reads no facts in what is said. */
  facts: types.Fact[] = [];

  conversation = (id: string) => found(this.conversations.get(id));
  memory = (id: string) => found(this.memories.get(id));

  /** The memories that nobody has to forget, in the order they were said. */
  saidIn(id?: string): Memory[] {
    for (const each of this.memories.values()) {
      if (each.expires_at && time(each.expires_at) <= Date.now()) this.memories.delete(each.id);
    }
    const said = [...this.memories.values()].filter((each) => id === undefined || each.conversation_id === id);
    return said.sort((one, other) => time(one.occurred_at) - time(other.occurred_at));
  }
}

/** What a request holds, as the functions below read it. */
interface Call {
  person: Person;
  query: Record<string, string>;
  body: Body;
  /** Refuse to change what was changed since it was read. */
  expect<T extends object>(thing: T): T;
  changed<T extends { updated_at: string }>(thing: T): T;
}

/** The server, in memory. */
export class FakeVibe {
  readonly people = new Map<string, Person>();
  readonly requests: { method: string; path: string; headers: Headers }[] = [];
  readonly #versions = new WeakMap<object, number>();
  readonly #done = new Map<string, Response>();
  readonly #faults: [number, string][] = [];

  /** Answer the next requests with a problem. */
  fail(status: number, code: string, times = 1): void {
    for (let time = 0; time < times; time++) this.#faults.push([status, code]);
  }

  /** Give the person of a UID, or of a token. */
  person(uid: string): Person {
    const there = this.people.get(uid) ?? new Person();
    this.people.set(uid, there);
    return there;
  }

  /** In place of the one of browser or Node. */
  readonly fetch: typeof fetch = async (input, init = {}) => {
    const url = new URL(String(input));
    const [method, path, headers] = [init.method ?? "GET", url.pathname.replace("/api/v1", ""), new Headers(init.headers)];
    this.requests.push({ method, path, headers });
    const who = headers.get("Vibe-Person") ?? headers.get("Authorization") ?? "";
    const once = `${who} ${headers.get("Idempotency-Key") ?? crypto.randomUUID()}`;
    try {
      const fault = this.#faults.shift();
      if (fault) throw new Refused(...fault);
      const before = this.#done.get(once);
      if (before) return before.clone();
      const [status, body] = this.#route(method, path, who.replace(/^uid:/, ""), url.searchParams, init, headers);
      const version = body && { ETag: this.#version(body) };
      const response = body ? Response.json(body, { status, headers: version }) : new Response(null, { status });
      if (method !== "GET") this.#done.set(once, response.clone());
      return response;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { status, code, more } = error;
      const problem = { type: "about:blank", status, code, request_id: crypto.randomUUID(), ...more };
      return Response.json(problem, { status, headers: { "Content-Type": "application/problem+json" } });
    }
  };

  #version(thing: object): string {
    return `"${this.#versions.get(thing) ?? 0}"`;
  }

  #route(method: string, path: string, who: string, query: URLSearchParams, init: RequestInit, headers: Headers): Answer {
    for (const [of, pattern, answer] of ROUTES) {
      const match = of === method && path.match(new RegExp(`^${pattern}$`));
      if (!match) continue;
      const parts = match.slice(1).map(decodeURIComponent);
      if (path.startsWith("/users/")) return (answer as OfServer)(this, parts[0]!, JSON.parse(String(init.body ?? "{}")));
      const person = this.person(who);
      if (!person.isActive) throw new Refused(403, "deactivated");
      const seen = headers.get("If-Match");
      const call: Call = {
        person,
        query: Object.fromEntries(query),
        body: JSON.parse(String(init.body ?? "{}")),
        expect: (thing) => {
          if (seen !== null && seen !== "*" && seen !== this.#version(thing)) throw new Refused(412, "outdated");
          return thing;
        },
        changed: (thing) => {
          this.#versions.set(thing, (this.#versions.get(thing) ?? 0) + 1);
          thing.updated_at = now();
          return thing;
        },
      };
      return (answer as OfPerson)(call, ...parts);
    }
    throw new Refused(501, "not-in-the-fake", { detail: `The fake of the API does not know ${method} ${path}.` });
  }
}

type OfServer = (fake: FakeVibe, uid: string, body: Body) => Answer;
type OfPerson = (call: Call, ...parts: string[]) => Answer;

const now = () => new Date().toISOString();
const time = (text: string) => new Date(text).getTime();
const written = (text: string) => new Date(text).toISOString().replace(".000Z", "Z");
const words = (text: string) => new Set(text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []);

function found<T>(thing: T | undefined): T {
  if (thing === undefined) throw new Refused(404, "not-found");
  return thing;
}

function page(items: object[], given: Body, more: object = {}): Answer {
  const start = Number(given["cursor"] ?? 0);
  const end = start + Number(given["limit"] ?? 50);
  return [200, { items: items.slice(start, end), next: end < items.length ? String(end) : null, ...more }];
}

function roleOf(author: string, ownName: string | null): types.Role {
  const [said, own] = [[...words(author)], words(ownName ?? "")];
  if (said.every((word) => own.has(word))) return "user";
  return ROLES.find(([, names]) => said.every((word) => names.includes(word)))?.[0] ?? "other";
}

// People

function shown(fake: FakeVibe, uid: string): object {
  const person = found(fake.people.get(uid));
  return { id: person.id, uid, is_active: person.isActive, created_at: person.createdAt };
}

function ensureUser(fake: FakeVibe, uid: string, body: Body): Answer {
  const isNew = !fake.people.has(uid);
  if (isNew) fake.person(uid).name = body["name"] ?? null;
  return [isNew ? 201 : 200, shown(fake, uid)];
}

function deactivateUser(fake: FakeVibe, uid: string): Answer {
  shown(fake, uid);
  fake.person(uid).isActive = false;
  return [200, shown(fake, uid)];
}

function getMe({ person }: Call): Answer {
  return [200, { id: person.id, email: null, email_verified: false, name: person.name, created_at: person.createdAt }];
}

function changePreferences({ person, body }: Call): Answer {
  person.preferences = merged(person.preferences, body) as Body;
  return [200, person.preferences];
}

/** What a JSON Merge Patch (RFC 7396) makes of something. */
function merged(before: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const kept: Body = isObject(before) ? { ...before } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete kept[name];
    else kept[name] = merged(kept[name], value);
  }
  return kept;
}

const isObject = (thing: unknown): thing is Body => typeof thing === "object" && thing !== null && !Array.isArray(thing);

// Conversations

function begun({ person }: Call, given: Body): Conversation {
  const at = given["started_at"] ? written(given["started_at"]) : now();
  const made: Conversation = {
    id: crypto.randomUUID(), external_id: null, title: null, description: null, companion: null, ...given,
    is_archived: false, memory_count: 0, started_at: at, active_at: at, created_at: now(), updated_at: now(),
  };
  person.conversations.set(made.id, made);
  return made;
}

const ofExternalId = ({ person }: Call, id?: string) =>
  [...person.conversations.values()].find((each) => id !== undefined && each.external_id === id);

function createConversation(call: Call): Answer {
  const taken = ofExternalId(call, call.body["external_id"]);
  if (taken) throw new Refused(409, "external-id-taken", { existing_id: taken.id });
  return [201, begun(call, call.body)];
}

function ensureConversation(call: Call, externalId: string, given: Body = call.body): [number, Conversation] {
  const there = ofExternalId(call, externalId);
  if (there && (given["companion"] ?? there.companion) !== there.companion) throw new Refused(409, "other-companion");
  return there ? [200, there] : [201, begun(call, { ...given, external_id: externalId })];
}

function listConversations({ person, query }: Call): Answer {
  const archived = query["archived"] ?? (query["external_id"] === undefined ? "false" : undefined);
  const fit = [...person.conversations.values()].filter(
    (each) =>
      (archived === undefined || archived === String(each.is_archived)) &&
      (query["companion"] ?? each.companion) === each.companion &&
      (query["external_id"] ?? each.external_id) === each.external_id,
  );
  return page(fit.sort((one, other) => time(other.active_at) - time(one.active_at)), query);
}

function changeConversation(call: Call, id: string): Answer {
  return [200, call.changed(Object.assign(call.expect(call.person.conversation(id)), call.body))];
}

function archive(call: Call, id: string, word: string): Answer {
  const conversation = call.expect(call.person.conversation(id));
  conversation.is_archived = word === "archive";
  return [200, call.changed(conversation)];
}

function deleteConversation({ person, expect }: Call, id: string): Answer {
  expect(person.conversation(id));
  person.conversations.delete(id);
  for (const each of person.saidIn(id)) person.memories.delete(each.id);
  return [204];
}

// Memories

/** What is given of a memory as it is shown, in place of what was before. */
function content({ person }: Call, given: Body, before?: Memory) {
  const metadata: Memory["metadata"] = given["metadata"] ?? {};
  if (!given["text"] && !Object.keys(metadata).length) throw new Refused(422, before ? "nothing-said" : "invalid");
  const said: string | undefined = given["occurred_at"];
  const offset = said?.match(/([+-])(\d\d):(\d\d)$/);
  const minutes = offset && Number(`${offset[1]}1`) * (60 * Number(offset[2]) + Number(offset[3]));
  return {
    author: given["author"] as string,
    role: (given["role"] ?? before?.role ?? roleOf(given["author"], person.name)) as types.Role,
    text: (given["text"] ?? "") as string,
    metadata,
    expires_at: given["expires_at"] ? written(given["expires_at"]) : null,
    occurred_at: said ? written(said) : (before?.occurred_at ?? now()),
    utc_offset: said ? minutes || null : (before?.utc_offset ?? null),
  };
}

const ofMessageId = ({ person }: Call, id: string, messageId?: string) =>
  messageId === undefined ? undefined : person.saidIn(id).find((each) => each.message_ids.includes(messageId));

function add(call: Call, id: string, given: Body): Memory {
  const conversation = call.person.conversation(id);
  const taken = ofMessageId(call, id, given["message_id"]);
  if (taken) throw new Refused(409, "message-id-taken", { existing_id: taken.id });
  const own = crypto.randomUUID();
  const ids = { id: own, conversation_id: id, message_ids: [given["message_id"] ?? own] };
  const made: Memory = { ...ids, ...content(call, given), created_at: now(), updated_at: now() };
  if (time(made.occurred_at) > time(conversation.active_at)) conversation.active_at = made.occurred_at;
  call.person.memories.set(own, made);
  conversation.memory_count += 1;
  return made;
}

/** Count the conversation of a memory again. */
function count({ person }: Call, memory: Memory): void {
  person.conversation(memory.conversation_id).memory_count = person.saidIn(memory.conversation_id).length;
}

function remember(call: Call): Answer {
  const { conversation: of, ...given } = call.body;
  const [, conversation] = ensureConversation(call, of.external_id, of);
  return [201, add(call, conversation.id, given)];
}

function putMemory(call: Call, id: string, messageId: string): Answer {
  const before = ofMessageId(call, id, messageId);
  if (!before) return [201, add(call, id, { ...call.body, message_id: messageId })];
  return [200, call.changed(Object.assign(before, content(call, call.body, before)))];
}

function listMemories({ person, query }: Call, id: string): Answer {
  person.conversation(id);
  const [said, { last, around, limit }] = [person.saidIn(id), query];
  if (last) return [200, { items: said.slice(-Number(last)), next: null }];
  if (!around) return page(query["order"] === "desc" ? said.reverse() : said, query);
  const size = Number(limit ?? 50);
  return page(said, { limit: size, cursor: Math.max(0, said.indexOf(person.memory(around)) - Math.floor(size / 2)) });
}

function changeMemory(call: Call, id: string): Answer {
  const memory = call.expect(call.person.memory(id));
  const { occurred_at: _, ...kept } = memory;
  return [200, call.changed(Object.assign(memory, content(call, { ...kept, ...call.body }, memory)))];
}

function deleteMemory(call: Call, id: string): Answer {
  const memory = call.expect(call.person.memory(id));
  call.person.memories.delete(id);
  count(call, memory);
  return [204];
}

/** Whether a memory has all that a search or a list is narrowed by. Of stories the fake has none. */
function fits({ person }: Call, given: Body, memory: Memory): boolean {
  const conversation = person.conversation(memory.conversation_id);
  const members = Object.fromEntries(Object.entries(memory.metadata).slice(0, FIRST_MEMBERS));
  const has = (wanted: Body) => Object.entries(wanted).every(([name, value]) => name in members && members[name] === value);
  return (
    !["people", "places", "events"].some((name) => given[name]?.length) &&
    (!given["authors"]?.length || given["authors"].includes(memory.author)) &&
    (!given["roles"]?.length || given["roles"].includes(memory.role)) &&
    (!given["since"] || time(memory.occurred_at) >= time(given["since"])) &&
    (!given["until"] || time(memory.occurred_at) <= time(given["until"])) &&
    (given["conversation_id"] ?? memory.conversation_id) === memory.conversation_id &&
    (given["companion"] ?? conversation.companion) === conversation.companion &&
    (given["archived"] ?? conversation.is_archived) === conversation.is_archived &&
    has(given["metadata"] ?? {}) &&
    (given["metadata_any"]?.length ? given["metadata_any"] : [{}]).some(has)
  );
}

function forgetMemories(call: Call): Answer {
  if (!call.query["since"] && !call.query["until"]) throw new Refused(422, "range-missing");
  const every = call.person.saidIn().filter((each) => fits(call, call.query, each));
  const items = every.slice(0, AT_ONCE);
  for (const each of items) {
    call.person.memories.delete(each.id);
    count(call, each);
  }
  return [200, { items: items.map(({ id }) => ({ id })), more: every.length > AT_ONCE }];
}

function filterMemories(call: Call): Answer {
  const fit = call.person.saidIn().filter((each) => fits(call, call.body, each));
  return page(fit.reverse(), call.body, { pending: 0 });
}

function searchMemories(call: Call): Answer {
  const asked = [...words(call.body["question"])];
  const hits: types.FoundMemory[] = [];
  for (const memory of call.person.saidIn()) {
    const said = words(memory.text);
    const score = asked.filter((word) => said.has(word)).length / asked.length;
    if (!score || !fits(call, call.body, memory)) continue;
    const { id, conversation_id, message_ids, occurred_at, author, role, text } = memory;
    const same = { story_id: null, score, why: { words: score }, times: 1, copies: [] };
    hits.push({ id, conversation_id, message_ids, occurred_at, author, role, text, ...same });
  }
  hits.sort((one, other) => other.score - one.score);
  const best = hits[0]?.score ?? 1;
  const items = hits.slice(0, call.body["limit"] ?? 10).map((each) => ({ ...each, score: each.score / best }));
  return [200, { items, degraded: null, pending: 0 }];
}

// Facts and context

function listFacts({ person, query }: Call): Answer {
  const at = time(query["as_of"] ?? now());
  const holds = (fact: types.Fact) =>
    time(fact.valid_from ?? fact.learned_at) <= at && (fact.valid_to === null || at < time(fact.valid_to));
  const every = [...person.facts].reverse().filter((each) => (query["attribute"] ?? each.attribute) === each.attribute);
  return [200, { items: every.filter((each) => query["history"] === "true" || holds(each)) }];
}

const factOf = ({ person }: Call, id: string) => found(person.facts.find((each) => each.id === id));

function correctFact(call: Call, id: string): Answer {
  const { value, ...rest } = call.body;
  return [200, Object.assign(factOf(call, id), rest, value == null ? {} : { value }, { corrected: true })];
}

function forgetFact(call: Call, id: string): Answer {
  const gone = factOf(call, id);
  call.person.facts = call.person.facts.filter((each) => each !== gone);
  return [204];
}

/** What was said that shares words with the message, and the last turns: whole, whatever the budget. */
function readContext(call: Call): Answer {
  const { message, conversation_id: talk, companion, format, parts = ["passages", "turns"] } = call.body;
  const { person } = call;
  if (talk && (companion ?? person.conversation(talk).companion) !== person.conversation(talk).companion) {
    throw new Refused(404, "not-found");
  }
  const asked = words(message ?? "");
  const turns = talk && parts.includes("turns") ? person.saidIn(talk) : [];
  const bears = (each: Memory) =>
    !turns.includes(each) && fits(call, { companion }, each) && [...words(each.text)].some((word) => asked.has(word));
  const passages = parts.includes("passages") ? person.saidIn().filter(bears) : [];
  const labelled = (part: string, those: Memory[]) =>
    those
      .filter(({ text }) => text && text !== message)
      .map(({ id, occurred_at, author, text }, at) => {
        return { label: `${part[0]}${at + 1}`, part, id, occurred_at, author, text, is_whole: true };
      });
  const pieces = [...labelled("passages", passages), ...labelled("turns", turns)];
  const lines = pieces.map((each) => `[${each.label}] ${each.author}: ${each.text}`).join("\n");
  const messages = lines ? [{ role: "user", content: lines }] : [];
  const shown = format === "text" ? { messages: null, text: lines } : { messages, text: null };
  const length = { tokens: Math.floor(lines.length / 4), characters: lines.length };
  return [200, { ...shown, pieces, ...length, degraded: null, pending: 0 }];
}

const ONE = "/([^/]+)";
const ROUTES: [string, string, OfPerson | OfServer][] = [
  ["PUT", `/users${ONE}`, ensureUser],
  ["GET", `/users${ONE}`, (fake: FakeVibe, uid: string): Answer => [200, shown(fake, uid)]],
  ["POST", `/users${ONE}/deactivate`, deactivateUser],
  ["GET", "/me", getMe],
  ["GET", "/me/preferences", ({ person }: Call): Answer => [200, person.preferences]],
  ["PATCH", "/me/preferences", changePreferences],
  ["POST", "/conversations", createConversation],
  ["GET", "/conversations", listConversations],
  ["PUT", `/conversations/by-external-id${ONE}`, (call: Call, id: string): Answer => ensureConversation(call, id)],
  ["GET", `/conversations${ONE}`, ({ person }: Call, id: string): Answer => [200, person.conversation(id)]],
  ["PATCH", `/conversations${ONE}`, changeConversation],
  ["DELETE", `/conversations${ONE}`, deleteConversation],
  ["POST", `/conversations${ONE}/(archive|unarchive)`, archive],
  ["POST", `/conversations${ONE}/memories`, (call: Call, id: string): Answer => [201, add(call, id, call.body)]],
  ["GET", `/conversations${ONE}/memories`, listMemories],
  [
    "POST",
    `/conversations${ONE}/memories/batch`,
    (call: Call, id: string): Answer => [201, { items: call.body["memories"].map((each: Body) => add(call, id, each)) }],
  ],
  ["PUT", `/conversations${ONE}/memories/by-message-id${ONE}`, putMemory],
  ["POST", "/memories", remember],
  ["DELETE", "/memories", forgetMemories],
  ["POST", "/memories/filter", filterMemories],
  ["POST", "/memories/search", searchMemories],
  ["GET", `/memories${ONE}`, ({ person }: Call, id: string): Answer => [200, (person.saidIn(), person.memory(id))]],
  ["PATCH", `/memories${ONE}`, changeMemory],
  ["DELETE", `/memories${ONE}`, deleteMemory],
  ["GET", "/facts", listFacts],
  ["PATCH", `/facts${ONE}`, correctFact],
  ["DELETE", `/facts${ONE}`, forgetFact],
  ["POST", "/context", readContext],
  ["POST", "/stories/search", (): Answer => [200, { items: [], degraded: null, pending: 0 }]],
  ["GET", "/(?:stories|people|places|events)", ({ query }: Call): Answer => page([], query)],
];
