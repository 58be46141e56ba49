// Drives plugin-manifest/wire.mjs and rpc.mjs against a host: files as binary messages, and in base64 as a plugin from before them does it.
//
//   node link-binary.mjs REPOSITORY SOCKET|ws://… TOKEN SPOOLFILES
import { strict as assert } from 'node:assert';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const [repository, endpoint, token, files] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(path.join(repository, 'plugin-manifest', name)));
const { openWire } = await load('wire.mjs');
const { RpcPeer } = await load('rpc.mjs');

// A crowded machine may let one of the two wait for long.
const PATIENCE_MS = 120_000;
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');
const where = endpoint.startsWith('ws') ? { kind: 'ws', url: endpoint } : { kind: 'socket', path: endpoint };

async function link(features) {
  const peer = new RpcPeer(await openWire(where, PATIENCE_MS), { handlers: {}, onClose() {} });
  if (where.kind === 'ws') await peer.request('auth.authenticate', { token }, { timeoutMs: PATIENCE_MS });
  const hello = await peer.request('link.hello', {
    token, protocol: 1, instanceId: 'script', gatewayVersion: '1', pluginVersion: '1', accounts: [{ channel: 'bncr', accountId: 'Primary' }], features,
  }, { timeoutMs: PATIENCE_MS });
  assert(hello.features.includes('binary'), 'the host offers binary messages');
  return peer;
}

/** Brings a file by link.media; gives its bytes as the host keeps them. */
async function media(peer, bytes, binary) {
  const mediaId = hash(bytes).slice(0, 16) + binary;
  for (let offset = 0; ; offset += 400_000) {
    const piece = bytes.subarray(offset, offset + 400_000);
    const answer = await peer.request('link.media', {
      mediaId, offset, size: bytes.length, mimeType: 'application/octet-stream', fileName: 'a.bin', ...(binary ? {} : { content: piece.toString('base64') }),
      ...(offset === 0 ? { channel: 'bncr', accountId: 'Primary', to: 'Bncr:x:y' } : {}),
    }, { content: binary ? piece : undefined, timeoutMs: PATIENCE_MS });
    if (answer.file) return readFileSync(path.join(files, answer.file));
  }
}

/** Forwards a chunk as the entry does for a client of the gateway, with its bytes beside the params. */
async function chunk(peer) {
  const bytes = randomBytes(300_000);
  const ask = (method, params, content) => peer.request('link.request', {
    method, connId: 'c1', scopes: ['operator.write'], params: { clientId: 'script', transferId: 'up', ...params },
  }, { content, timeoutMs: PATIENCE_MS });
  await ask('bncr.file.init', {
    sessionKey: `agent:main:bncr:direct:${Buffer.from('x:0:y').toString('hex')}`, fileName: 'b.bin', fileSize: bytes.length, chunkSize: 200_000, totalChunks: 2,
  });
  await ask('bncr.file.chunk', { chunkIndex: 1, chunkSha256: hash(bytes.subarray(200_000)) }, bytes.subarray(200_000));
  await assert.rejects(ask('bncr.file.chunk', { chunkIndex: 0, chunkSha256: hash(bytes) }, bytes.subarray(0, 200_000)), /SHA-256/);
  await ask('bncr.file.chunk', { chunkIndex: 0 }, bytes.subarray(0, 200_000));
  const done = await ask('bncr.file.complete', { fileSha256: hash(bytes) });
  assert.equal(hash(readFileSync(done.path)), hash(bytes));
}

const bytes = randomBytes(1_300_000);
let peer = await link(['binary']);
assert((await media(peer, bytes, true)).equals(bytes));
await chunk(peer);
peer.close();
peer = await link(undefined);
const other = randomBytes(500_001);
assert((await media(peer, other, false)).equals(other));
peer.close();
console.log('all well');
process.exit(0);
