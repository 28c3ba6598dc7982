export * from "./client.js";
export * from "./errors.js";
export type { Options } from "./operations.js";
export type * as types from "./types.js";
export * from "./webhooks.js";
