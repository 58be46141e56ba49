// Drives plugin-manifest/rpc.mjs over a wire that delivers several messages in one read, as a socket does.
//
//   node link-order.mjs REPOSITORY
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const [repository] = process.argv.slice(2);
const { RpcPeer } = await import(pathToFileURL(path.join(repository, 'plugin-manifest', 'rpc.mjs')));

const heard = [];
const wire = { encode: (message) => ({ message, size: 1 }), send() {}, close() {}, unwritten: 0 };
const peer = new RpcPeer(wire, { handlers: { 'link.push': ({ n }) => { heard.push(`push ${n}`); } } });

// The way of an answer through the entry: a few awaits between the link and the gateway's respond().
const asked = (async () => {
  const result = await (async () => await peer.request('link.request', {}))();
  heard.push(await Promise.resolve(`answer ${result.ok}`));
})();
for (const message of [
  { jsonrpc: '2.0', method: 'link.push', params: { n: 1 } },
  { jsonrpc: '2.0', id: 1, result: { ok: true } },
  { jsonrpc: '2.0', method: 'link.push', params: { n: 2 } },
  { jsonrpc: '2.0', method: 'link.push', params: { n: 3 } },
]) wire.onMessage(message);
await asked;
await new Promise((resolve) => setImmediate(resolve));
wire.onMessage({ jsonrpc: '2.0', method: 'link.push', params: { n: 4 } });

const expected = 'push 1, answer true, push 2, push 3, push 4';
if (heard.join(', ') !== expected) {
  console.log(`expected ${expected}\nheard    ${heard.join(', ')}`);
  process.exit(1);
}
console.log('all well');
