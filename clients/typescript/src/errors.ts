import type { Problem as Body, ProblemField } from "./types.js";

/** The base of all that the client throws. */
export class VibeError extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}

/** There was no answer. Whether the request was done is not known; sent again with its key, it is done once. */
export class Unreachable extends VibeError {}

/** The API refused or failed. Go by `code`, which stays (docs/api.md lists them); `detail` is for people. */
export class Problem extends VibeError {
  readonly code: string;
  readonly detail: string;
  readonly requestId: string | undefined;
  readonly errors: ProblemField[];
  readonly existingId: string | undefined;

  constructor(
    readonly status: number,
    problem: Partial<Body>,
    /** Seconds. */
    readonly retryAfter?: number,
  ) {
    const code = problem.code ?? "unknown";
    const detail = problem.detail ?? problem.title ?? `HTTP status ${status}`;
    super(`${detail} (${status} ${code}, request ${problem.request_id})`);
    this.code = code;
    this.detail = detail;
    this.requestId = problem.request_id;
    this.errors = problem.errors ?? [];
    this.existingId = problem.existing_id ?? undefined;
  }
}

export class BadRequest extends Problem {}
export class Unauthorized extends Problem {}
export class Forbidden extends Problem {}
export class NotFound extends Problem {}
export class Conflict extends Problem {}
export class Gone extends Problem {}
/** It was changed since you read it. */
export class Outdated extends Problem {}
export class TooLarge extends Problem {}
/** Fields are not as they should be; `errors` names them. */
export class Invalid extends Problem {}
export class TooManyRequests extends Problem {}
/** 500 and more: nothing was changed. */
export class ServerFailed extends Problem {}

const OF_STATUS: Record<number, typeof Problem> = {
  400: BadRequest,
  401: Unauthorized,
  403: Forbidden,
  404: NotFound,
  409: Conflict,
  410: Gone,
  412: Outdated,
  413: TooLarge,
  422: Invalid,
  429: TooManyRequests,
};

export function problemOf(status: number, problem: Partial<Body>, retryAfter?: number): Problem {
  const kind = OF_STATUS[status] ?? (status >= 500 ? ServerFailed : Problem);
  return new kind(status, problem, retryAfter);
}
