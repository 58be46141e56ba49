// A channel of people at a WebSocket: whoever connects to /nodechat/NAME says something by a message and is told the answers.
// An answer for somebody who isn't there is tried again after a while; who stays away for long finds it among the host's dead letters.
'use strict';
const { randomUUID } = require('node:crypto');
const { Plugin, HostError, ackOf } = require('./channelbridge.js');

const plugin = new Plugin('chat-node', '1.0.0', { channels: ['nodechat'], methods: ['nodechat.present'], endpoints: ['SOCKET /nodechat/{name}'] });
const present = new Map();

plugin.on('start', () => {
  // The account can be reached before the host has read this answer; it takes our word for it.
  plugin.call('attach', { channel: 'nodechat', accountId: 'Main' }).catch((error) => console.error(error.message));
  return { accounts: { nodechat: [{ accountId: 'Main', connected: true, activeConnections: 1 }] } };
});

plugin.on('socket', ({ request, incoming }) => {
  const { name } = request.values;
  if (!/^[A-Za-z0-9]{1,40}$/.test(name)) throw new HostError('INVALID_REQUEST', 'a name has letters and digits');
  const answers = plugin.openStream();
  serve(name, plugin.stream(incoming), answers);
  return { outgoing: answers.number };
});

async function serve(name, incoming, answers) {
  present.set(name, answers);
  try {
    for await (const item of incoming.items()) {
      if (item[0] !== 't'.charCodeAt(0)) continue;
      const message = { channel: 'nodechat', accountId: 'Main', sessionKey: `nodechat:${name}`, route: name, senderId: name, text: item.subarray(1).toString() };
      await plugin.accept(message, randomUUID());
    }
  } catch (error) {
    console.error(`${name}: ${error.message}`);
  } finally {
    if (present.get(name) === answers) present.delete(name);
    incoming.close();
    answers.end();
  }
}

plugin.on('push', async ({ id, message }) => {
  const away = { outcome: 'flushed', ack: ackOf(id, message, { ok: false, error: 'nobody of that name is connected', retryAfterMs: 1000 }) };
  const answers = present.get(message.route);
  if (!answers) return away;
  try {
    await answers.writeItem(`t${message.text ?? ''}`);
    return { outcome: 'flushed', ack: ackOf(id, message, { delivered: true }) };
  } catch {
    // They have just left.
    return away;
  }
});

plugin.on('resolveTarget', ({ target }) => {
  if (!/^[A-Za-z0-9]{1,40}$/.test(target)) throw new HostError('NOT_FOUND', 'a target is a name of letters and digits');
  return { accountId: 'Main', sessionKey: `nodechat:${target}`, route: target };
});

plugin.on('formatTarget', ({ sessionKey }) => sessionKey.slice('nodechat:'.length));
plugin.on('method', () => ({ present: [...present.keys()].sort() }));

plugin.run();
