// A Juji community, written from the protocol's text with Node's own parts and the WebSocket package `ws`: node juji-community.mjs PATH-OF-WS
// It prints its address, then a JSON line for each thing that happens. It leaves the first call of the action `lose` unanswered and closes the connection.
import { createHash, createPublicKey, randomBytes, verify } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { WebSocketServer } = createRequire(import.meta.url)(process.argv[2]);
const say = (what) => console.log(JSON.stringify(what));
const agents = new Map();
const signatures = new Set();
let lost;

const server = createServer(async (request, response) => {
  let text = "";
  for await (const part of request) text += part;
  const answer = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  const body = text === "" ? {} : JSON.parse(text);
  switch (request.url) {
    case "/base/agent/register": {
      if (!/^[0-9a-f]{64}$/.test(body.public_key ?? "")) return answer(400, { detail: "public_key" });
      const agent = agents.get(body.public_key) ?? { id: agents.size + 1, key: body.public_key };
      agent.token = randomBytes(16).toString("hex");
      agents.set(body.public_key, agent);
      say({ registered: agent.id, name: body.name ?? null });
      return answer(200, { agent_id: agent.id, ws_token: agent.token });
    }
    case "/base/message/capabilities":
      return answer(200, { api_revision: "7", websocket: { actions: [{ action: "lose" }, { action: "echo" }] } });
    case "/base/message/send":
      say({ sent: body });
      return answer(200, { ok: true });
    default:
      return answer(404, { detail: "not found" });
  }
});

const sockets = new WebSocketServer({ server, path: "/base/ws" });
sockets.on("connection", (socket, request) => {
  const query = new URL(request.url, "http://x").searchParams;
  const [id, at, signature] = [Number(query.get("agent_id")), query.get("ts"), query.get("sig") ?? ""];
  const agent = [...agents.values()].find((known) => known.id === id);
  const key = agent && createPublicKey({ format: "der", type: "spki", key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(agent.key, "hex")]) });
  const isGood = key && query.get("token") === agent.token && Math.abs(Date.now() / 1000 - Number(at)) < 60
    && verify(null, Buffer.from(`juji-ws-v1|${id}|${at}`), key, Buffer.from(signature, "hex"));
  if (!isGood) return socket.close(4401, "authentication failed");
  signatures.add(createHash("sha256").update(`${at}|${signature}`).digest("hex"));
  say({ connected: id });
  socket.send(JSON.stringify({ type: "connected", agent_id: id }));
  socket.on("message", (data) => {
    const text = data.toString();
    if (text === "ping") return socket.send('{"type":"pong"}');
    const { agent_id, u_id, params } = JSON.parse(text);
    say({ call: params.action, u_id, agent_id });
    const answer = (content, status = "success") => socket.send(JSON.stringify({ agent_id, u_id, content, status }));
    if (params.action === "lose" && lost === undefined) {
      lost = u_id;
      return socket.terminate();
    }
    if (params.action === "lose") return answer({ same: lost === u_id });
    if (params.action === "push") {
      socket.send(JSON.stringify({ type: "juji/notification", topic: "news", event: "content.published", title: "News", message: "from Node", data: {} }));
      return answer(null);
    }
    return params.action === "echo" ? answer(params.params) : answer({ error: "unknown action" }, "error");
  });
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/base`));
