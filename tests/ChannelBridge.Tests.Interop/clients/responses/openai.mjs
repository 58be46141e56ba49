// npm's openai: the client itself, its retries, and the members that its types require.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import OpenAI from 'openai';
import { aborted, apiKey, baseURL, citySchema, model, png, run, stats, weatherSchema } from './lib.mjs';

const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const tools = [{ type: 'function', name: 'get_weather', description: 'w', parameters: weatherSchema, strict: true }];
const outputs = (response) => response.output.filter((item) => item.type === 'function_call')
  .map((call) => ({ type: 'function_call_output', call_id: call.call_id, output: `sunny in ${JSON.parse(call.arguments).location}` }));
const seen = [];

await run({
  async text() {
    const response = await client.responses.create({ model, input: 'hi' });
    assert.equal(response.output_text, 'Hello from the model');
    seen.push(['Response', response]);
  },
  async stream() {
    const stream = client.responses.stream({ model, input: 'hi' });
    for await (const event of stream) seen.push([null, event]);
    assert.equal((await stream.finalResponse()).output_text, 'Hello from the model');
  },
  async 'tools, by previous_response_id and by replay'() {
    const first = await client.responses.stream({ model, input: 'tools please', tools }).on('event', (event) => seen.push([null, event])).finalResponse();
    assert.equal(outputs(first).length, 2);
    const wanted = 'results: sunny in Bern and sunny in Rome';
    assert.equal((await client.responses.create({ model, tools, previous_response_id: first.id, input: outputs(first) })).output_text, wanted);
    const replay = [{ role: 'user', content: 'tools please' }, ...first.output, ...outputs(first)];
    assert.equal((await client.responses.create({ model, tools, store: false, input: replay })).output_text, wanted);
  },
  async 'tools without a store, by sealed reasoning'() {
    const first = await client.responses.create({ model, input: 'tools please', tools, store: false, include: ['reasoning.encrypted_content'] });
    assert.ok(first.output[0].encrypted_content);
    const replay = [{ role: 'user', content: 'tools please' }, ...first.output, ...outputs(first)];
    const second = await client.responses.create({ model, tools, store: false, input: replay });
    assert.equal(second.output_text, 'results: sunny in Bern and sunny in Rome');
  },
  async image() {
    const content = [{ type: 'input_text', text: 'image?' }, { type: 'input_image', image_url: png, detail: 'auto' }];
    assert.equal((await client.responses.create({ model, input: [{ role: 'user', content }] })).output_text, 'seen: 1 image');
  },
  async 'JSON schema'() {
    const response = await client.responses.parse({ model, input: 'schema', text: { format: { type: 'json_schema', name: 'city', schema: citySchema, strict: true } } });
    assert.deepEqual(response.output_parsed, { city: 'Bern' });
  },
  async error() {
    const error = await client.responses.create({ model, input: 'refuse' }).catch((fault) => fault);
    assert.ok(error instanceof OpenAI.BadRequestError, error);
    assert.equal(error.code, 'context_length_exceeded');
  },
  async 'retries: as often as the client says after a short wait, never after a long one or a refusal'() {
    const retrying = new OpenAI({ baseURL, apiKey, maxRetries: 2 });
    for (const [input, type, calls] of [['busy', OpenAI.RateLimitError, 3], ['busy for long', OpenAI.RateLimitError, 1], ['refuse', OpenAI.BadRequestError, 1]]) {
      const before = (await stats()).requests;
      const error = await retrying.responses.create({ model, input }).catch((fault) => fault);
      assert.ok(error instanceof type, error);
      assert.equal((await stats()).requests - before, calls, input);
      if (input === 'busy for long') assert.equal(error.headers.get('retry-after'), '600');
    }
  },
  async cancel() {
    const before = (await stats()).aborted;
    const stream = await client.responses.create({ model, input: 'slow', stream: true });
    let id;
    for await (const event of stream) {
      id ??= event.response?.id;
      if (event.type === 'response.output_text.delta') break;
    }
    const response = await client.responses.cancel(id);
    assert.equal(response.error.code, 'cancelled');
    await aborted(before);
  },
  async "members that the client's types require are there"() {
    const required = readTypes();
    for (const event of seen.map(([, value]) => value).filter((value) => value.type)) {
      const name = required.events.get(event.type);
      if (name) check(name, event, event.type, required);
      if (event.response) check('Response', event.response, event.type, required);
    }
    check('Response', seen.find(([name]) => name === 'Response')[1], 'response', required);
    assert.ok(required.events.size > 30);
  },
});

/** The interfaces of the package's types: which members each requires, and by which event name. */
function readTypes() {
  const file = path.join(path.dirname(createRequire(import.meta.url).resolve('openai')), 'resources/responses/responses.d.ts');
  const text = fs.readFileSync(file, 'utf8').replace(/\/\*\*[\s\S]*?\*\//g, '');
  const interfaces = new Map();
  const events = new Map();
  for (const [, name, body] of text.matchAll(/export interface (\w+) \{\n([\s\S]*?)\n\}\n/g)) {
    const members = [...body.matchAll(/^ {4}(\w+): (.*);$/gm)].map(([, member, type]) => [member, type]);
    interfaces.set(name, members);
    const type = members.find(([member]) => member === 'type')?.[1].match(/^'(response\.[\w.]+)'$/)?.[1];
    if (type) events.set(type, name);
  }
  const usage = text.match(/interface InputTokensDetails \{\n([\s\S]*?)\n {4}\}/)[1];
  return { interfaces, events, usage: [...usage.matchAll(/^ {8}(\w+): /gm)].map(([, member]) => member) };
}

function check(name, value, place, required) {
  for (const [member] of required.interfaces.get(name)) {
    // The client adds it itself.
    if (member !== 'output_text') assert.ok(member in value, `${place}: ${name}.${member} is missing`);
  }
  const items = [...(value.output ?? []), ...(value.item ? [value.item] : [])];
  const names = { message: 'ResponseOutputMessage', function_call: 'ResponseFunctionToolCall', reasoning: 'ResponseReasoningItem' };
  for (const item of items) {
    check(names[item.type], item, `${place} ${item.type}`, required);
    for (const part of item.content ?? []) if (part.type === 'output_text') check('ResponseOutputText', part, `${place} output_text`, required);
  }
  if (value.usage) for (const member of required.usage) assert.ok(member in value.usage.input_tokens_details, `${place}: usage.input_tokens_details.${member} is missing`);
}
