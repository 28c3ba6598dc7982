// What the client of openapi-fetch, by the types of openapi-typescript, gets of a server: node generated.js ADDRESS TOKEN
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

declare const process: { argv: string[] };
const [baseUrl = "", token = ""] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
const begun = await api.POST("/api/v1/conversations", { body: {} });
const path = { conversation_id: begun.data!.id };
const added = await api.POST("/api/v1/conversations/{conversation_id}/memories", { params: { path }, body: { author: "Ada", text: "I moved to Lisbon." } });
const listed = await api.GET("/api/v1/conversations/{conversation_id}/memories", { params: { path } });
const one = { params: { path: { memory_id: added.data!.id } } };
const read = await api.GET("/api/v1/memories/{memory_id}", one);
const deleted = await api.DELETE("/api/v1/memories/{memory_id}", one);
const gone = await api.GET("/api/v1/memories/{memory_id}", one);
const code: "not-found" | false = gone.error?.code === "not-found" && gone.error.code;
console.log(JSON.stringify([listed.data!.items.map((each) => each.text), read.data!.text, deleted.response.status, code]));
