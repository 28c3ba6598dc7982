import { VibeError } from "./errors.js";

/** What a webhook tells: the type, the time, and ids. */
export interface WebhookEvent {
  type: string;
  timestamp: string;
  data: Record<string, string>;
}

/** It was not signed with this secret, was changed, or is too old: answer 400, and do nothing with it. */
export class WebhookInvalid extends VibeError {}

const PREFIX = "whsec_";

/**
 * Return the event of a webhook, verified by the Standard Webhooks scheme. Throws WebhookInvalid.
 *
 * `body` is what came, before anything parsed it. `tolerance` is how many seconds its time may differ from ours.
 */
export async function verifyWebhook(
  secret: string,
  headers: Headers | Record<string, string | string[] | undefined>,
  body: string | Uint8Array,
  { tolerance = 300, now = Date.now() / 1000 }: { tolerance?: number; now?: number } = {},
): Promise<WebhookEvent> {
  const [id, at, signatures] = ["id", "timestamp", "signature"].map((name) => header(headers, `webhook-${name}`));
  if (!id || !at || !signatures || !/^\d{1,14}$/.test(at)) {
    throw new WebhookInvalid("The headers of a webhook are missing: webhook-id, webhook-timestamp, webhook-signature.");
  }
  if (Math.abs(now - Number(at)) > tolerance) {
    throw new WebhookInvalid("The webhook was signed too long ago, or a clock is wrong.");
  }
  const raw = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const head = new TextEncoder().encode(`${id}.${at}.`);
  const signed = new Uint8Array(head.length + raw.length);
  signed.set(head);
  signed.set(raw, head.length);
  const key = await keyOf(secret);
  for (const each of signatures.split(" ")) {
    const [version, signature] = each.split(",");
    const given = version === "v1" && signature ? bytesOf(signature) : undefined;
    if (given && (await crypto.subtle.verify("HMAC", key, given, signed))) {
      return JSON.parse(new TextDecoder().decode(raw)) as WebhookEvent;
    }
  }
  throw new WebhookInvalid("No signature of the webhook is by this secret.");
}

function header(headers: Headers | Record<string, string | string[] | undefined>, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const found = Object.entries(headers).find(([each]) => each.toLowerCase() === name)?.[1];
  return Array.isArray(found) ? found[0] : found;
}

async function keyOf(secret: string): Promise<CryptoKey> {
  const raw = bytesOf(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret);
  if (!raw?.length) throw new WebhookInvalid("The secret is not one of a webhook: it begins with whsec_.");
  return crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
