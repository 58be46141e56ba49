// What was kept while the host was away is not overtaken: a later message of the same account goes behind it, another account's doesn't
// wait.
import assert from 'node:assert/strict';
import { Keeper } from '../../../plugin-manifest/kept.mjs';

const sent = [];
let away = true;
const busy = new Set();
const keeper = new Keeper({
  send: async ({ text }) => {
    if (away || busy.has(text)) throw Object.assign(new Error('away'), { code: 'UNAVAILABLE' });
    if (text === 'refused') throw Object.assign(new Error('no'), { code: 'NOT_FOUND' });
    sent.push(text);
  },
  mayRetry: ({ code }) => code === 'UNAVAILABLE',
  onRefused: () => sent.push('(refused)'),
});

keeper.keep('a/0', 'bncr/primary', { text: 'one' });
keeper.keep('r/0', 'bncr/primary', { text: 'refused' });
keeper.keep('b/0', 'bncr/primary', { text: 'two' });
keeper.keep('b/0', 'bncr/primary', { text: 'two' }); // once
keeper.keep('s/0', 'bncr/shop', { text: 'shop' });
assert.equal(keeper.size, 4);

// Still away: a later one has to wait, the first of the line may try by itself.
assert.equal(await keeper.clear('bncr/primary', 'c/0'), false);
assert.equal(await keeper.clear('bncr/primary', 'a/0'), true);
assert.equal(await keeper.clear('bncr/other', 'x/0'), true);
assert.deepEqual(sent, []);

// Back: whoever comes first sends the line's messages before its own, once, also when two come at the same time.
away = false;
const [first, second] = await Promise.all([keeper.clear('bncr/primary', 'c/0'), keeper.clear('bncr/primary', 'd/0')]);
assert.deepEqual([first, second], [true, true]);
assert.deepEqual(sent, ['one', '(refused)', 'two']);

// One account that the host can't serve holds up its own messages only.
busy.add('shop');
keeper.keep('e/0', 'bncr/primary', { text: 'three' });
await keeper.flush();
assert.equal(sent.at(-1), 'three');
assert.equal(await keeper.clear('bncr/shop', 't/0'), false);
busy.clear();
await keeper.flush();
assert.equal(sent.at(-1), 'shop');
assert.equal(keeper.size, 0);
console.log('all well');
