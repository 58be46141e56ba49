// Starts what a benchmark through the real OpenClaw gateway needs: a host of the Release build, a model that answers at once, the gateway with the
// plugin, and a client of it. Everything runs on loopback in a temporary folder and ends with the script.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { once } from "node:events";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createSocketServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const repository = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const token = "bench-gateway-token-0123456789";

/** An option of the command line. */
export const option = (name, otherwise) => {
  const index = process.argv.indexOf(`--${name}`);
  return index < 0 ? otherwise : process.argv[index + 1];
};

/** Starts all of it; gives { call, until, send, onMessage } of the client, and the process ids gateway and host. */
export async function startLab() {
  const openclaw = option("openclaw", process.env.CHANNELBRIDGE_OPENCLAW);
  if (!openclaw) {
    console.error("--openclaw DIR is missing: a folder in which `npm install node@24 openclaw@2026.9.6` was run");
    process.exit(2);
  }

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

  /** Starts a program and waits until it has said a text; gives its process id. */
  const start = (command, args, env, text) => new Promise((done, failed) => {
    const child = spawn(command, args, { cwd: state, env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
    children.push(child);
    let log = "";
    const heard = (data) => {
      log += data;
      if (log.includes(text)) done(child.pid);
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
  const host = await start(
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
  const gateway = await start(node, [join(openclaw, "node_modules/openclaw/openclaw.mjs"), "gateway", "run", "--port", `${port}`], {
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

  return { call, until, send: (text) => socket.send(text), onMessage: (listener) => socket.addEventListener("message", listener), gateway, host };
}

/** Processor time of a process so far, in ms. */
export const cpuOf = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
};

/** What lies at a share of a list, e.g. 0.5 for the median. */
export const at = (list, share) => [...list].sort((a, b) => a - b)[Math.floor(list.length * share)];
