// A client of the protocol, written from its text alone: registration, login, connection, messages, sealing. Node's global WebSocket, fetch and crypto are all it needs.
import assert from "node:assert/strict";
import crypto from "node:crypto";

const b64 = (data) => Buffer.from(data).toString("base64");
const unb64 = (text) => Buffer.from(text, "base64");
const hex = (count) => crypto.randomBytes(count).toString("hex");
const newPair = () => crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = (key) => key.export({ type: "spki", format: "der" });
const sign = (key, data) => b64(crypto.sign("sha256", data, key));
const verify = (key, data, signature) => assert.ok(crypto.verify("sha256", data, key, unb64(signature)), "a signature is wrong");
const fingerprint = (key) => "sha256:" + crypto.createHash("sha256").update(spki(key)).digest("hex");
const agree = (own, other) => crypto.diffieHellman({ privateKey: own, publicKey: other });

// Keys sorted, nothing between them: what is authenticated is these bytes.
const compact = (value) => Buffer.from(JSON.stringify(value, Object.keys(value).sort()));

function point(key) {
  const { x, y } = key.export({ format: "jwk" });
  return Buffer.concat([Buffer.from([4]), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
}

function readPoint(bytes) {
  assert.equal(bytes.length, 65);
  return crypto.createPublicKey({
    key: { kty: "EC", crv: "P-256", x: bytes.subarray(1, 33).toString("base64url"), y: bytes.subarray(33).toString("base64url") },
    format: "jwk",
  });
}

/** One WebSocket: calls by id, events in a list. */
export class Line {
  #calls = new Map();
  #events = [];
  #waiting = [];

  static async open(url) {
    const line = new Line();
    const ws = (line.ws = new WebSocket(url));
    line.closed = new Promise((resolve) => ws.addEventListener("close", (event) => resolve(event.code)));
    ws.addEventListener("message", ({ data }) => line.#take(JSON.parse(data)));
    await new Promise((resolve, reject) => {
      ws.addEventListener("open", resolve);
      ws.addEventListener("error", () => reject(new Error(`can't connect to ${url}`)));
    });
    line.closed.then(() => line.#calls.forEach(({ reject }) => reject(new Error("closed"))));
    const challenge = await line.#next((frame) => frame.method === "challenge");
    assert.ok(!("id" in challenge));
    line.nonce = challenge.params.nonce;
    return line;
  }

  call(method, params) {
    const id = hex(6);
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.ws.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  event(name) {
    return this.#next((frame) => frame.method === "event/" + name).then((frame) => frame.params);
  }

  async close() {
    this.ws.close();
    await this.closed;
  }

  #take(frame) {
    const call = this.#calls.get(frame.id);
    if (call) {
      this.#calls.delete(frame.id);
      if (frame.error) call.reject(Object.assign(new Error(frame.error.message), { code: frame.error.code }));
      else call.resolve(frame.result);
      return;
    }

    this.#events.push(frame);
    this.#waiting = this.#waiting.filter((one) => !one());
  }

  #next(isIt) {
    return new Promise((resolve) => {
      const look = () => {
        const index = this.#events.findIndex(isIt);
        if (index < 0) return false;
        resolve(this.#events.splice(index, 1)[0]);
        return true;
      };
      if (!look()) this.#waiting.push(look);
    });
  }
}

/** An identity with its key, its certificate, its device and its prekeys. */
export class Agent {
  #pair = newPair();
  #prekeys = new Map();
  device = "node-" + hex(6);

  constructor(gateway, aid, root) {
    Object.assign(this, { gateway, aid, root });
  }

  async http(path) {
    const url = this.gateway.replace(/^ws/, "http").replace(/\/aun$|\/$/, "") + path;
    const answer = await fetch(url);
    assert.equal(answer.status, 200, url);
    return await answer.text();
  }

  async short(method, params) {
    const line = await Line.open(this.gateway);
    try {
      return await line.call(method, params);
    } finally {
      await line.close();
    }
  }

  async create() {
    const { cert } = await this.short("auth.create_aid", { aid: this.aid, public_key: b64(spki(this.#pair.publicKey)), curve: "P-256" });
    this.cert = cert;
    await this.#check(cert, this.aid);
  }

  /** The chain of a certificate: each link signed by the next, authorities marked as such, the last one the root that is trusted. */
  async #check(pem, name) {
    const chain = (await this.http("/pki/chain")).match(/-----BEGIN[^]+?-----END CERTIFICATE-----/g).map((one) => new crypto.X509Certificate(one));
    const leaf = new crypto.X509Certificate(pem);
    if (name) assert.equal(leaf.subject, "CN=" + name);
    let current = leaf;
    for (const authority of chain) {
      assert.ok(authority.ca && current.checkIssued(authority) && current.verify(authority.publicKey), "the chain is broken");
      current = authority;
    }

    assert.ok(current.raw.equals(new crypto.X509Certificate(this.root).raw), "the root isn't the trusted one");
    return leaf.publicKey;
  }

  async login() {
    const nonce = b64(crypto.randomBytes(12));
    const first = await this.short("auth.aid_login1", { aid: this.aid, cert: this.cert, client_nonce: nonce });
    verify(await this.#check(first.auth_cert), Buffer.from(nonce), first.client_nonce_signature);
    const time = String(Date.now() / 1000);
    const second = await this.short("auth.aid_login2", {
      aid: this.aid, request_id: first.request_id, nonce: first.nonce, client_time: time, signature: sign(this.#pair.privateKey, Buffer.from(`${first.nonce}:${time}`)),
    });
    this.token = second.access_token;
  }

  async connect(raw = false) {
    this.line = await Line.open(this.gateway);
    const params = { nonce: this.line.nonce, auth: { method: "kite_token", token: this.token }, protocol: { min: "1.0", max: "1.0" } };
    if (!raw) Object.assign(params, { device: { id: this.device, type: "sdk" }, client: { slot_id: "" }, delivery_mode: { mode: "fanout", routing: "", affinity_ttl_ms: 0 } });
    const hello = await this.line.call("auth.connect", params);
    assert.deepEqual([hello.status, hello.identity.aid], ["ok", this.aid]);
  }

  async publish() {
    const [id, pair, at] = [hex(16), newPair(), Date.now()];
    const key = b64(spki(pair.publicKey));
    await this.line.call("message.e2ee.put_prekey", {
      prekey_id: id, public_key: key, signature: sign(this.#pair.privateKey, Buffer.from(`${id}|${key}|${at}`)), created_at: at, device_id: this.device,
      cert_fingerprint: fingerprint(this.#pair.publicKey),
    });
    this.#prekeys.set(id, pair.privateKey);
  }

  async peer(aid) {
    return await this.#check(await this.http("/pki/cert/" + aid), aid);
  }

  #seal(to, peer, prekey, id, payload) {
    const prekeyKey = crypto.createPublicKey({ key: unb64(prekey.public_key), format: "der", type: "spki" });
    verify(peer, Buffer.from(`${prekey.prekey_id}|${prekey.public_key}|${prekey.created_at}`), prekey.signature);
    const once = newPair();
    const own = this.#pair.privateKey;
    const shared = Buffer.concat([agree(once.privateKey, prekeyKey), agree(once.privateKey, peer), agree(own, prekeyKey), agree(own, peer)]);
    const key = Buffer.from(crypto.hkdfSync("sha256", shared, "", "aun-prekey-v2:" + prekey.prekey_id, 32));
    const aad = {
      from: this.aid, to, message_id: id, timestamp: Date.now(), encryption_mode: "prekey_ecdh_v2", suite: "P256_HKDF_SHA256_AES_256_GCM",
      ephemeral_public_key: b64(point(once.publicKey)), prekey_id: prekey.prekey_id, recipient_cert_fingerprint: fingerprint(peer),
      sender_cert_fingerprint: fingerprint(this.#pair.publicKey),
    };
    const nonce = crypto.randomBytes(12);
    const cipher = crypto.createCipheriv("aes-256-gcm", key, nonce).setAAD(compact(aad));
    const text = Buffer.concat([cipher.update(JSON.stringify(payload)), cipher.final()]);
    const tag = cipher.getAuthTag();
    return {
      type: "e2ee.encrypted", version: "1", encryption_mode: aad.encryption_mode, suite: aad.suite, prekey_id: prekey.prekey_id,
      ephemeral_public_key: aad.ephemeral_public_key, nonce: b64(nonce), ciphertext: b64(text), tag: b64(tag),
      sender_signature: sign(own, Buffer.concat([text, tag, compact(aad)])), sender_cert_fingerprint: aad.sender_cert_fingerprint, aad,
    };
  }

  async #open(message) {
    const { aad, nonce, ciphertext, tag, sender_signature: signature, prekey_id: id } = message.payload;
    assert.deepEqual([aad.from, aad.to, aad.message_id], [message.from, this.aid, message.message_id]);
    const peer = await this.peer(message.from);
    verify(peer, Buffer.concat([unb64(ciphertext), unb64(tag), compact(aad)]), signature);
    const [prekey, once, own] = [this.#prekeys.get(id), readPoint(unb64(aad.ephemeral_public_key)), this.#pair.privateKey];
    const shared = Buffer.concat([agree(prekey, once), agree(own, once), agree(prekey, peer), agree(own, peer)]);
    const key = Buffer.from(crypto.hkdfSync("sha256", shared, "", "aun-prekey-v2:" + id, 32));
    const cipher = crypto.createDecipheriv("aes-256-gcm", key, unb64(nonce)).setAAD(compact(aad)).setAuthTag(unb64(tag));
    return JSON.parse(Buffer.concat([cipher.update(unb64(ciphertext)), cipher.final()]));
  }

  async send(to, payload, sealed = true) {
    const id = hex(16);
    if (!sealed) return await this.line.call("message.send", { to, payload, message_id: id });
    const found = await this.line.call("message.e2ee.get_prekey", { aid: to });
    assert.ok(found.found, "no registered device prekeys");
    const peer = await this.peer(to);
    const copies = found.device_prekeys.map((one) => ({ device_id: one.device_id ?? "", envelope: this.#seal(to, peer, one, id, payload) }));
    return await this.line.call("message.send", {
      to, type: "e2ee.multi_device", encrypted: true, message_id: id, timestamp: Date.now(),
      payload: { type: "e2ee.multi_device", logical_message_id: id, recipient_copies: copies, self_copies: [] },
    });
  }

  async receive() {
    const message = await this.line.event("message.received");
    if (message.encrypted) {
      assert.equal(message.device_id, this.device);
      message.payload = await this.#open(message);
    }

    await this.line.call("message.ack", { seq: message.seq });
    return message;
  }
}

export async function discover(base) {
  const { gateways } = await (await fetch(base + "/.well-known/aun-gateway")).json();
  return gateways.sort((one, other) => one.priority - other.priority)[0].url;
}
