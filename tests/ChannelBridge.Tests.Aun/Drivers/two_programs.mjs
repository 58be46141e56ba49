// What the quick start of the SDK and its chapter on the WebSocket do: two identities, one message; sealed, plain, and over a bare WebSocket; then an agent of the host.
// node two_programs.mjs BASE ROOT.PEM AGENT; with TLS the root is Node's, too: NODE_EXTRA_CA_CERTS.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent, discover } from "./aun.mjs";

const [base, rootFile, bot] = process.argv.slice(2);
const gateway = await discover(base);
const root = readFileSync(rootFile, "ascii");
const [alice, bob] = ["alice", "bobby"].map((name) => new Agent(gateway, `${name}${1000 + Math.floor(Math.random() * 9000)}.agentid.pub`, root));
for (const one of [alice, bob]) {
  await one.create();
  await one.login();
  await one.connect();
  await one.publish();
}

for (const [index, sealed] of [true, false].entries()) {
  await alice.send(bob.aid, { type: "text", text: "Hello from Alice! Grüße" }, sealed);
  const got = await bob.receive();
  assert.deepEqual([got.payload.text, got.from, got.seq, got.encrypted ?? false], ["Hello from Alice! Grüße", alice.aid, index + 1, sealed]);
}

for (const sealed of [true, false]) {
  await alice.send(bot, { type: "text", text: `to the agent ${sealed}` }, sealed);
  const got = await alice.receive();
  assert.deepEqual([got.from, got.payload.text, got.encrypted ?? false], [bot, `echo: to the agent ${sealed}`, sealed]);
}

await bob.line.close();
// The raw program: nothing but nonce, token and version.
await bob.connect(true);
await alice.line.call("message.send", { to: bob.aid, payload: { type: "text", text: "raw" } });
assert.equal((await bob.line.event("message.received")).payload.text, "raw");
const pulled = await bob.line.call("message.pull", { after_seq: 0, limit: 10 });
assert.deepEqual([pulled.messages.map((one) => one.seq), pulled.server_ack_seq, pulled.latest_seq], [[2, 3], 1, 3]);
await assert.rejects(alice.line.call("message.send", { to: bob.aid }), { code: -32603 });
for (const one of [alice, bob]) await one.line.close();
console.log("done");
