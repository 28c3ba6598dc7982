import { Problem, problemOf, Unreachable } from "./errors.js";
import { type How, Operations } from "./operations.js";

/** An API key or ID token, or a function that gives one; it is given true when the last one had expired. */
export type Token = string | ((renew: boolean) => string | Promise<string>);

export interface Settings {
  /** Whom an API key acts for: `uid:` and their UID, or `id:` and their id. */
  person?: string;
  /** How often a request is sent again at most: 3, if left out. */
  retries?: number;
  /** Milliseconds that one try may take: 30,000, if left out. */
  timeout?: number;
  /** In place of the one of browser or Node, such as `new FakeVibe().fetch`. */
  fetch?: typeof fetch;
}

const RETRIED = [429, 502, 503, 504];
const SHORTEST_WAIT = 250; // milliseconds
const LONGEST_WAIT = 30_000;
const versions = new WeakMap<object, string>();

/** The version of what the API answered, for `ifMatch`. */
export function etag(thing: object): string | undefined {
  return versions.get(thing);
}

/** The ID tokens of who is signed in with Firebase: `firebaseToken(auth.currentUser)`. */
export function firebaseToken(user: { getIdToken(forceRefresh?: boolean): Promise<string> }): Token {
  return (renew) => user.getIdToken(renew);
}

/** The API, one operation a method. */
export class Vibe extends Operations {
  readonly #url: string;
  readonly #token: Token;
  readonly #settings: Settings;

  /** Talk to the server at `url`, such as https://memory.example. */
  constructor(url: string, token: Token, settings: Settings = {}) {
    super();
    this.#url = `${new URL(url).href.replace(/\/$/, "")}/api/v1`;
    this.#token = token;
    this.#settings = settings;
  }

  /** A client that acts for this person. */
  asPerson(person: string): Vibe {
    return new Vibe(this.#url.replace(/\/api\/v1$/, ""), this.#token, { ...this.#settings, person });
  }

  /** Send one request and give its answer: what all operations do. Throws VibeError. */
  async call<T>(method: string, path: string, how: How = {}): Promise<T> {
    const send = this.#settings.fetch ?? fetch;
    const address = this.#url + path + queryOf(how.query);
    const headers = this.#headers(method, how);
    const body = how.body === undefined || how.body instanceof Blob ? how.body : JSON.stringify(how.body);
    let renew = false;
    for (let tried = 0; ; ) {
      headers["Authorization"] = `Bearer ${typeof this.#token === "string" ? this.#token : await this.#token(renew)}`;
      const limit = AbortSignal.timeout(this.#settings.timeout ?? 30_000);
      const signal = how.signal ? AbortSignal.any([how.signal, limit]) : limit;
      let problem: Problem | Unreachable;
      try {
        return await answerOf<T>(await send(address, { method, headers, body, signal }));
      } catch (error) {
        how.signal?.throwIfAborted();
        problem = error instanceof Problem ? error : new Unreachable(`No answer from the server: ${error}`);
      }
      const expired = problem instanceof Problem && problem.code === "token-expired";
      const wait = expired ? this.#waitForToken(renew) : this.#wait(tried, problem);
      if (wait === undefined) throw problem;
      await new Promise((resolve) => setTimeout(resolve, wait));
      renew = expired;
      tried += expired ? 0 : 1;
    }
  }

  /** Give the items of all pages. A page is read when its first item is asked for. */
  async *pages<T>(method: string, path: string, how: How = {}): AsyncGenerator<T> {
    const place = method === "GET" ? "query" : "body";
    for (;;) {
      const page = await this.call<{ items: T[]; next: string | null }>(method, path, how);
      yield* page.items;
      if (page.next === null) return;
      how = { ...how, [place]: { ...how[place], around: undefined, cursor: page.next } };
    }
  }

  /** What may change something is given an Idempotency-Key. */
  #headers(method: string, how: How): Record<string, string> {
    const headers: Record<string, string> = {};
    if (this.#settings.person) headers["Vibe-Person"] = this.#settings.person;
    if (method !== "GET") headers["Idempotency-Key"] = how.idempotencyKey ?? crypto.randomUUID();
    if (how.ifMatch) headers["If-Match"] = how.ifMatch;
    if (how.body instanceof Blob) headers["Content-Type"] = "application/octet-stream";
    else if (how.body !== undefined) headers["Content-Type"] = "application/json";
    return headers;
  }

  #waitForToken(renewed: boolean): number | undefined {
    return renewed || typeof this.#token === "string" ? undefined : 0;
  }

  /** Milliseconds to wait before the request is sent again; undefined if it is not. */
  #wait(tried: number, problem: Problem | Unreachable): number | undefined {
    if (tried >= (this.#settings.retries ?? 3)) return undefined;
    const backoff = Math.min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** tried) * (0.5 + Math.random() / 2);
    if (problem instanceof Unreachable) return backoff;
    if (!RETRIED.includes(problem.status) && problem.code !== "still-running") return undefined;
    const asked = 1000 * (problem.retryAfter ?? 0);
    return asked <= LONGEST_WAIT ? Math.max(asked, backoff) : undefined;
  }
}

function queryOf(query: object = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

async function answerOf<T>(response: Response): Promise<T> {
  const isJson = response.headers.get("Content-Type")?.includes("json");
  if (response.ok) {
    if (!isJson) return ((await response.text()) || undefined) as T;
    const found = await response.json();
    const version = response.headers.get("ETag");
    if (version) versions.set(found, version);
    return found;
  }
  const problem = isJson ? await response.json().catch(() => ({})) : {};
  const wait = Number(response.headers.get("Retry-After") ?? Number.NaN);
  throw problemOf(response.status, problem, Number.isNaN(wait) ? undefined : wait);
}
