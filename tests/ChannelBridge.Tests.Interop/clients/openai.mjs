// npm's openai client, unchanged, against the host: everything that an application does with it. Usage: openai.mjs MODULES BASE_URL TOKEN
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';

const [modules, baseURL, apiKey] = process.argv.slice(2);
const require = createRequire(path.join(modules, 'package.json'));
const OpenAI = require('openai').default ?? require('openai');
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const model = 'echo';
const tools = [
  {
    type: 'function',
    name: 'get_weather',
    description: 'The weather of a place',
    parameters: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'], additionalProperties: false },
    strict: true,
  },
];

const checks = {
  async 'create gives a response and its text'() {
    const response = await client.responses.create({ model, input: 'Hello', instructions: 'be kind', metadata: { a: 'b' } });
    assert.equal(response.output_text, 'echo: Hello');
    assert.equal(response.status, 'completed');
    assert.equal(response.metadata.a, 'b');
    assert.equal(response.usage.total_tokens, response.usage.input_tokens + response.usage.output_tokens);
  },

  async 'create with stream gives events 0…n'() {
    const types = [];
    let sequence = 0;
    let text = '';
    for await (const event of await client.responses.create({ model, input: 'Grüße 👩‍👩‍👧‍👦 שלום', stream: true })) {
      assert.equal(event.sequence_number, sequence++);
      types.push(event.type);
      if (event.type === 'response.output_text.delta') text += event.delta;
    }
    assert.equal(text, 'echo: Grüße 👩‍👩‍👧‍👦 שלום');
    assert.deepEqual(types.slice(0, 2), ['response.created', 'response.in_progress']);
    assert.equal(types.at(-1), 'response.completed');
  },

  async 'the stream helper accumulates and ends with the final response'() {
    const stream = client.responses.stream({ model, input: 'x'.repeat(5000) });
    let deltas = 0;
    stream.on('response.output_text.delta', (event) => {
      deltas += 1;
      assert.ok(event.snapshot.endsWith(event.delta));
    });
    const final = await stream.finalResponse();
    assert.equal(final.output_text, `echo: ${'x'.repeat(5000)}`);
    assert.ok(deltas >= 100);
  },

  async 'the stream helper reads tool calls'() {
    const final = await client.responses.stream({ model, input: "What's the weather like in Paris?", tools }).finalResponse();
    const call = final.output.find((item) => item.type === 'function_call');
    assert.equal(call.name, 'get_weather');
    assert.ok(JSON.parse(call.arguments).location);
    const answer = await client.responses.create({
      model, tools, previous_response_id: final.id, input: [{ type: 'function_call_output', call_id: call.call_id, output: 'sunny' }],
    });
    assert.equal(answer.output_text, 'echo: sunny');
  },

  async 'the output of a response goes back as input'() {
    const first = await client.responses.create({ model, input: 'one' });
    const second = await client.responses.create({ model, input: [{ role: 'user', content: 'one' }, ...first.output, { role: 'user', content: 'two' }] });
    assert.equal(second.output_text, 'echo: two');
  },

  async 'images and files are taken'() {
    const response = await client.responses.create({
      model,
      input: [{ role: 'user', content: [
        { type: 'input_text', text: 'see' },
        { type: 'input_image', image_url: 'data:image/png;base64,iVBORw0KGgo=', detail: 'auto' },
        { type: 'input_file', filename: 'a.txt', file_data: 'data:text/plain;base64,aGk=' },
      ] }],
    });
    assert.equal(response.output_text, 'echo: see');
  },

  async 'retrieve, input items, delete, and the errors of what is gone'() {
    const made = await client.responses.create({ model, input: 'keep me' });
    const got = await client.responses.retrieve(made.id);
    assert.equal(got.output_text ?? got.output[0].content[0].text, 'echo: keep me');
    const items = [];
    for await (const item of client.responses.inputItems.list(made.id)) items.push(item);
    assert.equal(items[0].content[0].text, 'keep me');
    await client.responses.delete(made.id);
    await assert.rejects(() => client.responses.retrieve(made.id), (error) => error.status === 404 && error instanceof OpenAI.NotFoundError);
  },

  async 'a background response is followed from where one was'() {
    const events = [];
    let id;
    for await (const event of await client.responses.create({ model, input: 'y'.repeat(400), background: true, stream: true })) {
      id ??= event.response.id;
      events.push(event);
      if (events.length === 5) break;
    }
    for await (const event of await client.responses.retrieve(id, { stream: true, starting_after: events.at(-1).sequence_number })) events.push(event);
    assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, index) => index));
    assert.equal(events.at(-1).type, 'response.completed');
    assert.equal((await client.responses.cancel(id)).status, 'completed');
  },

  async 'errors have status, type, param and code'() {
    await assert.rejects(
      () => client.responses.create({ model, input: 'x', temperature: 9 }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === 'temperature' && error.type === 'invalid_request');
    await assert.rejects(
      () => client.responses.create({ model, input: 'x', previous_response_id: 'resp_nothing' }),
      (error) => error.status === 404 && error.code === 'previous_response_not_found');
    const stranger = new OpenAI({ baseURL, apiKey: 'wrong', maxRetries: 0 });
    await assert.rejects(() => stranger.responses.create({ model, input: 'x' }), (error) => error instanceof OpenAI.AuthenticationError);
  },

  async 'leaving a stream leaves nothing behind'() {
    const stream = await client.responses.create({ model, input: 'z'.repeat(100000), stream: true });
    for await (const event of stream) {
      if (event.type === 'response.output_text.delta') break;
    }
    stream.controller.abort();
  },

  async 'models are listed'() {
    const names = [];
    for await (const one of client.models.list()) names.push(one.id);
    assert.ok(names.includes('echo'));
    assert.equal((await client.models.retrieve('echo')).id, 'echo');
  },

  async 'twenty at once are all answered'() {
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => client.responses.stream({ model, input: `n${i}` }).finalResponse()));
    answers.forEach((answer, i) => assert.equal(answer.output_text, `echo: n${i}`));
  },

  async 'a conversation is compacted'() {
    const compacted = await client.responses.compact({ model, input: [{ role: 'user', content: 'the word is slate' }] });
    assert.equal(compacted.object, 'response.compaction');
    const next = await client.responses.create({ model, input: [...compacted.output, { role: 'user', content: 'go on' }] });
    assert.equal(next.output_text, 'echo: go on');
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED: ${name}: ${error.stack ?? error}`);
  }
}
if (failed === 0) console.log('all well');
process.exit(failed === 0 ? 0 : 1);
