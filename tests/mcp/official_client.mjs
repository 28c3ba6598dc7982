// What the official TypeScript client gets of a server: node official_client.mjs ADDRESS TOKEN
import { discoverOAuthProtectedResourceMetadata } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [address, token] = process.argv.slice(2);
const connected = async (headers) => {
  const client = new Client({ name: "official", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(address), { requestInit: { headers } }));
  return client;
};

const refused = await connected({}).then(() => null, (error) => error.code ?? error.constructor.name);
const metadata = await discoverOAuthProtectedResourceMetadata(address);
const client = await connected({ Authorization: `Bearer ${token}` });
const { tools } = await client.listTools();
const kept = await client.callTool({ name: "remember", arguments: { text: "I moved to Lisbon." } });
const found = await client.callTool({ name: "search_memories", arguments: { question: "Where do I live?" } });
const wrong = await client.callTool({ name: "remember", arguments: { txt: "x" } }).then((answer) => answer.isError, () => true);
const { resources } = await client.listResources();
const { contents } = await client.readResource({ uri: resources[0].uri });
const { resourceTemplates } = await client.listResourceTemplates();
await client.close();
console.log(
  JSON.stringify({
    refused,
    servers: metadata.authorization_servers,
    tools: tools.map((each) => each.name),
    kept: kept.structuredContent.memory_id,
    found: found.structuredContent.items.map((each) => each.id),
    wrong,
    read: JSON.parse(contents[0].text).id,
    listed: resources.map((each) => each.uri),
    templates: resourceTemplates.map((each) => each.uriTemplate),
  }),
);
