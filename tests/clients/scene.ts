// What the TypeScript client is put through. Compiled beside its source; arguments: which part, the server, a token,
// another token. It prints what happened as JSON.
import { etag, firebaseToken, NotFound, Outdated, Problem, Unauthorized, Unreachable, type types, Vibe } from "./index.js";
import { FakeVibe } from "./fake.js";

declare const process: { argv: string[] };
const [part, address, token, other] = process.argv.slice(2) as [string, string, string, string];
const AT = "2026-05-12T09:30:00+02:00";

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of pages) found.push(each);
  return found;
}

async function refusal(work: Promise<unknown>): Promise<Problem | Unreachable> {
  return work.then(
    () => Promise.reject(new Error("it was not refused")),
    (problem) => problem,
  );
}

async function usual() {
  const vibe = new Vibe(address, token);
  const talk = (await vibe.createConversation({ title: "Counting" })).id;
  const memories = [0, 1, 2, 3, 4, 5, 6].map((each) => ({ author: "Ada", text: String(each) }));
  await vibe.addMemories(talk, { memories });
  const first = vibe.listMemories(talk, { limit: 3 });
  const read = await vibe.getConversation(talk);
  const version = etag(read)!;
  await vibe.changeConversation(talk, { title: null }, { ifMatch: version });
  const outdated = await refusal(vibe.deleteConversation(talk, { ifMatch: version }));
  const missing = await refusal(vibe.getMemory(talk));
  const unknown = (await refusal(vibe.call("POST", "/conversations", { body: { name: "x" } }))) as Problem;
  const stopped = await refusal(vibe.getMe({ signal: AbortSignal.abort() }));
  const upload = (await vibe.beginMyImport({ format: "jsonl" })).id;
  await vibe.putImportPart(upload, 0, new Blob(['{"conversation": {"id": "a"}, "messages": []}\n']));
  return {
    upload: (await vibe.startImport(upload, { parts: 1 })).state,
    pages: (await all(first)).map((each) => each.text).join(""),
    down: (await all(vibe.listMemories(talk, { order: "desc", limit: 5 }))).map((each) => each.text).join(""),
    filtered: (await all(vibe.filterMemories({ conversation_id: talk, limit: 2 }))).length,
    outdated: outdated instanceof Outdated,
    missing: missing instanceof NotFound && missing.message.includes("404 not-found") && missing.name,
    unknown: unknown.errors.length,
    unauthorized: (await refusal(new Vibe(address, "nonsense").getMe())) instanceof Unauthorized,
    unreachable: (await refusal(new Vibe("http://127.0.0.1:1", "x", { retries: 1 }).getMe())) instanceof Unreachable,
    stopped: stopped.name,
  };
}

// The control of all types here: without an error in the next line, the compiler refuses to go on.
// @ts-expect-error
export const wrong = (vibe: Vibe) => vibe.remember({ author: 1 });

/** The server fails as the test has it. */
async function faults() {
  const vibe = new Vibe(address, token);
  const memory = await vibe.remember({ author: "Ada", text: "Once.", conversation: { external_id: "1" } });
  return { count: (await all(vibe.listMemories(memory.conversation_id))).length };
}

/** `token` has expired, `other` has not. */
async function expired() {
  const asked: (boolean | undefined)[] = [];
  const user = { getIdToken: async (renew?: boolean) => (asked.push(renew), renew ? other : token) };
  const name = (await new Vibe(address, firebaseToken(user)).getMe()).name;
  const never = await refusal(new Vibe(address, firebaseToken({ getIdToken: async () => token })).getMe());
  return { name, asked, never: (never as Problem).code };
}

/** What a context shows: of its text and length the fake has its own. */
async function context(vibe: Vibe, given: types.WantedContext) {
  const { pieces, text, messages } = await vibe.readContext(given);
  const shown = pieces.map((each) => [each.label, each.part, each.author, each.text]);
  return { shown, text: text === null, messages: messages === null };
}

/** What both the server and the fake are asked. */
async function asked(vibe: Vibe): Promise<unknown[]> {
  const tried = (work: Promise<unknown>) => work.catch((problem) => [problem.status, problem.code]);
  const first = await vibe.createConversation({ title: "Lisbon", companion: "nova", started_at: AT });
  const talk = (await vibe.ensureConversation("a/b", { description: "x" })).id;
  const said = await vibe.addMemory(talk, { author: "user", text: "I moved.", occurred_at: AT, message_id: "m1" });
  const memories: types.AddedMemory[] = [
    { author: "Ada", text: "Ines carried the piano.", metadata: { mood: "glad" } },
    { author: "GRANDMA", metadata: { kind: "picture" } },
    { author: "Nova", role: "assistant", text: "How is the flat?" },
  ];
  const added = (await vibe.addMemories(talk, { memories })).items.map((each) => each!);
  return [
    first,
    said,
    added,
    await vibe.ensureConversation("a/b", { title: "is not taken" }),
    await tried(vibe.ensureConversation("a/b", { companion: "other" })),
    await tried(vibe.createConversation({ external_id: "a/b" })),
    await vibe.changeConversation(first.id, { title: null, description: "The flat." }),
    await tried(vibe.changeConversation(first.id, { title: "x" }, { ifMatch: etag(first)! })),
    await vibe.archiveConversation(first.id),
    await all(vibe.listConversations()),
    await all(vibe.listConversations({ archived: true })),
    await all(vibe.listConversations({ external_id: "a/b" })),
    await vibe.unarchiveConversation(first.id),
    await tried(vibe.deleteConversation(first.id)),
    await tried(vibe.getConversation(first.id)),
    await tried(vibe.addMemory(talk, { author: "user", text: "again", message_id: "m1" })),
    await tried(vibe.addMemory(talk, { author: "user" })),
    await vibe.putMemory(talk, "m1", { author: "user", text: "I moved to Porto." }),
    await vibe.putMemory(talk, "m2", { author: "user", text: "New." }),
    await all(vibe.listMemories(talk, { order: "desc", limit: 2 })),
    await all(vibe.listMemories(talk, { last: 2 })),
    await all(vibe.listMemories(talk, { around: added[1]!.id, limit: 3 })),
    await all(vibe.filterMemories({ metadata: { mood: "glad" } })),
    await all(vibe.filterMemories({ metadata_any: [{ mood: "glad" }, { kind: "picture" }], limit: 1 })),
    await all(vibe.filterMemories({ roles: ["assistant"], authors: ["Nova"], conversation_id: talk })),
    await all(vibe.filterMemories({ until: "2026-05-12T07:30:00Z" })),
    await vibe.searchMemories({ question: "Where is the piano?", limit: 1 }),
    await vibe.changeMemory(said.id, { text: "I moved to Faro.", metadata: { a: 1 } }),
    await vibe.getMemory(said.id),
    await tried(vibe.changeMemory(said.id, { text: "", metadata: null })),
    await tried(vibe.deleteMemory(added[0]!.id)),
    await tried(vibe.getMemory(added[0]!.id)),
    (await vibe.getConversation(talk)).memory_count,
    await tried(vibe.forgetMemories()),
    await vibe.forgetMemories({ until: "2026-05-12T07:30:00Z" }),
    await vibe.changePreferences({ theme: "dark", a: { b: 1, c: 2 } }),
    await vibe.changePreferences({ theme: null, a: { b: null } }),
    await vibe.getPreferences(),
    (await vibe.getMe()).name,
    await all(vibe.listEvents()),
    await vibe.listFacts(),
    await tried(vibe.correctFact(first.id, { value: "Porto" })),
    await tried(vibe.forgetFact(first.id)),
    await context(vibe, { message: "Who is well?", conversation_id: talk }),
    await context(vibe, { conversation_id: talk, parts: ["turns"], format: "text" }),
    await tried(vibe.readContext({ conversation_id: first.id })),
    await tried(vibe.readContext({ conversation_id: talk, companion: "juno" })),
  ];
}

async function compared() {
  const fake = new FakeVibe();
  const person = new Vibe("https://memory.example", "x", { person: "uid:ada", fetch: fake.fetch });
  fake.person("ada").name = "Ada Tavares";
  const answers = { server: await asked(new Vibe(address, token)), fake: await asked(person) };
  fake.fail(503, "busy");
  await person.getMe();
  const unknown = await refusal(all(person.listAccess()));
  return { ...answers, requests: fake.requests.length, unknown: unknown.message };
}

console.log(JSON.stringify(await { usual, faults, expired, compared }[part]!()));
