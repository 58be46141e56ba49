// A chat bridge in plain Node (22 or newer, no dependency). The "platform" is this terminal: each line is a message, each answer is printed.
// Run: node samples/bridge-node/bridge.mjs ws://127.0.0.1:7788 ~/.channelbridge/token
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { randomUUID } from 'node:crypto';
import { homedir, userInfo } from 'node:os';

const url = process.argv[2] ?? 'ws://127.0.0.1:7788';
if (!globalThis.WebSocket) fail(`Node ${process.versions.node} has no WebSocket; take Node 22 or newer, or start Node 20 with --experimental-websocket`);
const token = readToken(process.argv[3] ?? `${homedir()}/.channelbridge/token`);
const account = { accountId: 'Node', clientId: 'bridge-node' };
const unsent = new Map(); // msgId -> params: everything that the host hasn't confirmed yet
const seen = new Set(); // pushes that were shown
const unanswered = new Set();
let socket, calls, connected = false, inputEnded = false, failures = 0, toldAway = false;

function fail(problem) {
  console.error(problem);
  process.exit(1);
}

function readToken(file) {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    return fail(`the token can't be read: ${error.message}; a host makes one at its first start: channelbridge serve`);
  }
}

function call(method, params) {
  return new Promise((resolve, reject) => {
    const id = randomUUID();
    calls.set(id, { resolve, reject });
    socket.send(JSON.stringify({ type: 'req', id, method, params }));
  });
}

// The same msgId again is the same message: sending twice is safe, forgetting is not.
async function send(msgId) {
  try {
    const result = await call('bncr.inbound', unsent.get(msgId));
    unsent.delete(msgId);
    if (!result.accepted) { unanswered.delete(msgId); console.error(`refused: ${result.reason}`); }
  } catch (error) {
    if (error.retryable) setTimeout(() => connected && unsent.has(msgId) && send(msgId), error.retryAfterMs ?? 1000);
    else { unsent.delete(msgId); unanswered.delete(msgId); console.error(`not sent: ${error.message}`); }
  }
  finish();
}

async function onPush(push) {
  if (!seen.has(push.idempotencyKey)) {
    seen.add(push.idempotencyKey); // a real bridge keeps this bounded, or on disk
    console.log(push.message.msg);
  }
  await call('bncr.ack', { ...account, messageId: push.messageId, ok: true }).catch(() => {}); // a lost ack means another push
  if (push.message.kind === 'final') unanswered.delete(push.replyToId);
  finish();
}

function connect() {
  socket = new WebSocket(url);
  calls = new Map();
  socket.onmessage = async ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.type === 'res') {
      const waiting = calls.get(frame.id);
      calls.delete(frame.id);
      if (frame.ok) waiting?.resolve(frame.payload);
      else waiting?.reject(frame.error);
    } else if (frame.event === 'connect.challenge') {
      try {
        await call('connect', {
          minProtocol: 4, maxProtocol: 4, role: 'operator', scopes: ['operator.read', 'operator.write'], auth: { token },
          client: { id: 'gateway-client', mode: 'backend', version: '1.0.0', platform: process.platform },
        });
        await call('bncr.connect', { ...account, ack: true });
        connected = true;
        toldAway = false;
        for (const msgId of unsent.keys()) send(msgId);
      } catch (error) {
        console.error(`can't connect: ${error.message}`);
        if (!error.retryable) process.exit(1); // a wrong token doesn't become right
        socket.close();
      }
    } else if (frame.event?.endsWith('bncr.push')) {
      onPush(frame.payload);
    }
  };
  const since = Date.now();
  let over = false;
  socket.onclose = socket.onerror = () => {
    if (over) return; // a failed connect may tell both
    over = true;
    connected = false;
    if (!toldAway) console.error(`no connection to ${url}; trying again (a host is started with: channelbridge serve)`);
    toldAway = true; // once an outage is enough
    for (const { reject } of calls.values()) reject({ retryable: true, message: 'connection lost' });
    failures = Date.now() - since > 30_000 ? 0 : failures + 1; // only a connection that lasted resets the back-off
    setTimeout(connect, Math.random() * Math.min(30_000, 500 * 2 ** failures));
  };
}

function finish() {
  if (inputEnded && unsent.size === 0 && unanswered.size === 0) process.exit(0);
}

setInterval(() => connected && call('bncr.activity', account).catch(() => {}), 30_000);
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const msgId = randomUUID();
    unsent.set(msgId, { ...account, platform: 'terminal', userId: userInfo().username, msg: line, msgId });
    unanswered.add(msgId);
    if (connected) send(msgId);
  })
  .on('close', () => { inputEnded = true; finish(); });
connect();
