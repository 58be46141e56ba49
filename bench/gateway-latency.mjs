#!/usr/bin/env node
// How much longer an answer takes through ChannelBridge than by the gateway's own chat.send: same gateway, same model, same minute, in turn.
//
//   node bench/gateway-latency.mjs --openclaw DIR [--rounds 30]
//
// DIR holds node_modules with node@24 and openclaw@2026.9.6; the host is taken from the Release build of src/ChannelBridge.Host. Everything runs on
// loopback in a temporary folder and ends with the script.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { once } from "node:events";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createSocketServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const option = (name, otherwise) => {
  const index = process.argv.indexOf(`--${name}`);
  return index < 0 ? otherwise : process.argv[index + 1];
};
const openclaw = option("openclaw", process.env.CHANNELBRIDGE_OPENCLAW);
const rounds = Number(option("rounds", "30"));
if (!openclaw) {
  console.error("--openclaw DIR is missing: a folder in which `npm install node@24 openclaw@2026.9.6` was run");
  process.exit(2);
}

const token = "bench-gateway-token-0123456789";
const state = mkdtempSync(join(tmpdir(), "cbgateway"));
const children = [];
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(state, { recursive: true, force: true });
});

const freePort = async () => {
  const server = createSocketServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
};

/** Starts a program and waits until it has said a text. */
const start = (command, args, env, text) => new Promise((done, failed) => {
  const child = spawn(command, args, { cwd: state, env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  let log = "";
  const heard = (data) => {
    log += data;
    if (log.includes(text)) done(child);
  };
  child.stdout.on("data", heard);
  child.stderr.on("data", heard);
  child.on("exit", (code) => failed(new Error(`${command} ended with ${code}:\n${log}`)));
});

// The model answers at once, so that what is measured is the way and not the thinking.
const model = createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const frame = (delta, finish) => response.write(`data: ${JSON.stringify({
      id: "c", object: "chat.completion.chunk", created: 0, model: "fake", choices: [{ index: 0, delta, finish_reason: finish }],
    })}\n\n`);
    frame({ role: "assistant", content: "an answer" }, null);
    frame({}, "stop");
    response.end("data: [DONE]\n\n");
  });
}).listen(0, "127.0.0.1");
await once(model, "listening");

const port = await freePort();
const data = join(state, "host");
for (const folder of ["home", "openclaw", "workspace"]) mkdirSync(join(state, folder));
await start(
  "dotnet",
  [join(repository, "src/ChannelBridge.Host/bin/Release/net10.0/channelbridge.dll"), "serve", "--urls", `http://127.0.0.1:${await freePort()}`, "--data", data],
  {}, "ready");
writeFileSync(join(state, "openclaw/openclaw.json"), JSON.stringify({
  gateway: { mode: "local", port, bind: "loopback", auth: { mode: "token", token }, controlUi: { enabled: false } },
  agents: { defaults: { workspace: join(state, "workspace"), model: { primary: "lab/fake" }, skipBootstrap: true, heartbeat: { every: "0m" } } },
  models: { mode: "replace", providers: { lab: {
    baseUrl: `http://127.0.0.1:${model.address().port}/v1`, apiKey: "none-needed", api: "openai-completions",
    models: [{ id: "fake", name: "Fake", reasoning: false, input: ["text"], cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }, contextWindow: 100000, maxTokens: 4096 }],
  } } },
  update: { checkOnStart: false },
  discovery: { mdns: { mode: "off" } },
  tools: { profile: "minimal" },
  plugins: {
    load: { paths: [repository] },
    entries: { channelbridge: { enabled: true, config: { mode: "connect", endpoint: `unix:${data}/channelbridge.sock`, tokenFile: `${data}/token` } } },
  },
  channels: { bncr: { enabled: true, accounts: { Primary: { dmPolicy: "open", allowFrom: ["*"] } } } },
}));
const node = join(openclaw, "node_modules/node/bin/node");
await start(node, [join(openclaw, "node_modules/openclaw/openclaw.mjs"), "gateway", "run", "--port", `${port}`], {
  PATH: `${join(openclaw, "node_modules/.bin")}:${process.env.PATH}`, HOME: join(state, "home"), OPENCLAW_STATE_DIR: join(state, "openclaw"),
  OPENCLAW_CONFIG_PATH: join(state, "openclaw/openclaw.json"), OPENCLAW_GATEWAY_TOKEN: token, OPENCLAW_DISABLE_BONJOUR: "1", OPENCLAW_NO_RESPAWN: "1",
  OPENCLAW_SKIP_CANVAS_HOST: "1", NO_COLOR: "1",
}, "[gateway] ready");

const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
const open = new Map();
const listeners = new Set();
let last = 0;
socket.addEventListener("message", ({ data: text }) => {
  const frame = JSON.parse(text);
  if (frame.type === "res") open.get(frame.id)?.(frame);
  else for (const listener of [...listeners]) listener(frame);
});
await once(socket, "open");
const call = (method, params) => new Promise((done, failed) => {
  const id = `${++last}`;
  open.set(id, (frame) => {
    open.delete(id);
    if (frame.ok) done(frame.payload);
    else failed(new Error(`${method}: ${JSON.stringify(frame.error)}`));
  });
  socket.send(JSON.stringify({ type: "req", id, method, params }));
});
const until = (matches) => new Promise((done, failed) => {
  const late = setTimeout(() => failed(new Error("no answer within 60 s")), 60_000);
  const listener = (frame) => {
    if (!matches(frame)) return;
    clearTimeout(late);
    listeners.delete(listener);
    done(frame);
  };
  listeners.add(listener);
});

await call("connect", {
  minProtocol: 4, maxProtocol: 4, client: { id: "gateway-client", version: "1", platform: "linux", mode: "backend" },
  role: "operator", scopes: ["operator.read", "operator.write"], caps: [], auth: { token },
});
// The link may still be on its way.
for (let attempt = 0; ; attempt++) {
  try {
    await call("bncr.connect", { accountId: "Primary", clientId: "bench", ack: true });
    break;
  } catch (error) {
    if (attempt === 50) throw error;
    await new Promise((done) => setTimeout(done, 200));
  }
}

const own = async (round) => {
  const final = until((frame) => frame.event === "chat" && frame.payload.state === "final");
  await call("chat.send", { sessionKey: "agent:main:bench", message: `say ${round}`, idempotencyKey: `own-${round}` });
  await final;
};
const bridged = async (round) => {
  const pushed = until((frame) => frame.event === "plugin.bncr.push");
  await call("bncr.inbound", {
    accountId: "Primary", clientId: "bench", platform: "bench", groupId: "0", userId: "user", type: "text", msg: `say ${round}`, msgId: `m-${round}`,
  });
  return (await pushed).payload;
};
const ack = ({ messageId }) => call("bncr.ack", { accountId: "Primary", clientId: "bench", messageId, ok: true });
const times = { own: [], bridged: [] };
for (let round = -5; round < rounds; round++) {
  for (const [name, way] of [["own", own], ["bridged", bridged]]) {
    // The gateway tidies up after a turn; the next one is not to pay for it.
    await new Promise((done) => setTimeout(done, 400));
    const began = performance.now();
    const push = await way(round);
    // The first rounds warm both ways up.
    if (round >= 0) times[name].push(performance.now() - began);
    if (push) await ack(push);
  }
}

const at = (list, share) => [...list].sort((a, b) => a - b)[Math.floor(list.length * share)];
const [chat, bncr] = [times.own, times.bridged];
console.log("| | p50 | p90 |\n|---|---|---|");
console.log(`| chat.send to its final event, the gateway's own way | ${at(chat, 0.5).toFixed(0)} ms | ${at(chat, 0.9).toFixed(0)} ms |`);
console.log(`| bncr.inbound to its push, through ChannelBridge | ${at(bncr, 0.5).toFixed(0)} ms | ${at(bncr, 0.9).toFixed(0)} ms |`);
console.log(`| added | ${(at(bncr, 0.5) - at(chat, 0.5)).toFixed(0)} ms (${(at(bncr, 0.5) / at(chat, 0.5)).toFixed(2)} ×) | ${(at(bncr, 0.9) - at(chat, 0.9)).toFixed(0)} ms |`);
console.log(`\n${new Date().toISOString().slice(0, 10)}, ${rounds} rounds of each in turn, one gateway, one model that answers at once`);
process.exit(0);
