// A member of a Juji community, written from the protocol's text with Node's own parts: node juji-member.mjs http://HOST:PORT/juji
// It registers, signs, connects, calls, is refused where it must be, and hears what another member sends it. The last line is `all well`.
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";

const base = process.argv[2];

class Member {
  constructor(name) {
    this.name = name;
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    this.key = privateKey;
    this.publicKey = publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex");
    this.calls = 0;
  }

  async register() {
    const answer = await fetch(`${base}/agent/register`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ public_key: this.publicKey, name: this.name }),
    });
    assert.equal(answer.status, 200);
    const agent = await answer.json();
    [this.id, this.token] = [agent.agent_id, agent.ws_token];
  }

  signature(at) {
    return sign(null, Buffer.from(`juji-ws-v1|${this.id}|${at}`), this.key).toString("hex");
  }

  connect({ at = Math.floor(Date.now() / 1000), signature = this.signature(at), token = this.token } = {}) {
    const query = new URLSearchParams({ agent_id: this.id, token, ts: at, sig: signature });
    this.socket = new WebSocket(`${base.replace("http", "ws")}/ws?${query}`);
    this.heard = [];
    this.waiting = [];
    this.socket.addEventListener("message", (event) => {
      const waiter = this.waiting.shift();
      if (waiter) waiter(event.data);
      else this.heard.push(event.data);
    });
    this.closed = new Promise((done) => this.socket.addEventListener("close", (event) => done(event.code)));
    return new Promise((done, fail) => {
      this.socket.addEventListener("open", done);
      this.socket.addEventListener("error", fail);
    });
  }

  next() {
    return this.heard.length > 0 ? Promise.resolve(this.heard.shift()) : new Promise((done) => this.waiting.push(done));
  }

  async hear() {
    for (;;) {
      const frame = JSON.parse(await this.next());
      if (frame.type !== "pong") return frame;
    }
  }

  async call(action, params = {}, { uId = `${this.name}-${++this.calls}`, agentId = this.id } = {}) {
    this.socket.send(JSON.stringify({ agent_id: agentId, u_id: uId, params: { action, params } }));
    const answer = await this.hear();
    assert.equal(answer.u_id, uId);
    return answer;
  }

  async refused(how) {
    await this.connect(how);
    return await this.closed;
  }
}

const [one, two] = [new Member("node one"), new Member("node two")];
await one.register();
await two.register();
const [first, former] = [one.id, one.token];
await one.register();
assert.equal(one.id, first);
assert.notEqual(one.token, former);

const now = Math.floor(Date.now() / 1000);
assert.equal(await one.refused({ signature: "00".repeat(64) }), 4401);
assert.equal(await one.refused({ at: now, signature: one.signature(now).slice(2) }), 4401);
assert.equal(await one.refused({ at: now + 330 }), 4401);
assert.equal(await one.refused({ at: now, signature: two.signature(now) }), 4401);
assert.equal(await one.refused({ token: two.token }), 4401);

await one.connect({ token: former });
assert.deepEqual(await one.hear(), { type: "connected", agent_id: one.id });
for (const ping of ["ping", "{}"]) {
  one.socket.send(ping);
  assert.deepEqual(JSON.parse(await one.next()), { type: "pong" });
}

const agents = await one.call("agent/list");
assert.equal(agents.status, "success");
assert.deepEqual(await one.call("agent/get", {}, { uId: "again" }), await one.call("agent/list", {}, { uId: "again" }));
assert.equal((await one.call("agent/list", {}, { agentId: two.id })).status, "error");
assert.deepEqual((await one.call("community/capabilities")).content, await (await fetch(`${base}/message/capabilities`)).json());

await two.connect();
await two.hear();
const sent = await two.call("message/send", { agent_ids: [one.id], payload: { type: "juji/notification", message: "您好" } });
assert.deepEqual(sent.content, { accepted: [one.id], unknown: [] });
const push = await one.hear();
assert.deepEqual([push.message, push.from_agent_id], ["您好", two.id]);
one.socket.close();
two.socket.close();
await Promise.all([one.closed, two.closed]);
console.log("all well");
process.exit(0);
