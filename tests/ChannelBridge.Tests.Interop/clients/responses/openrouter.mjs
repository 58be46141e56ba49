// @openrouter/sdk's Responses calls; its zod schemas check every event.
import assert from 'node:assert/strict';
import { OpenRouter } from '@openrouter/sdk';
import { aborted, apiKey, baseURL, citySchema, model, png, run, stats, weatherSchema } from './lib.mjs';

const client = new OpenRouter({ apiKey, serverURL: baseURL, retryConfig: { strategy: 'none' } });
const send = (responsesRequest, options) => client.beta.responses.send({ responsesRequest: { model, ...responsesRequest } }, options);
const tools = [{ type: 'function', name: 'get_weather', description: 'w', parameters: weatherSchema, strict: true }];
const textOf = (response) => response.output.filter((item) => item.type === 'message').flatMap((item) => item.content).map((part) => part.text).join('');

await run({
  async text() {
    assert.equal(textOf(await send({ input: 'hi' })), 'Hello from the model');
  },
  async stream() {
    let text = '';
    for await (const event of await send({ input: 'hi', stream: true })) if (event.type === 'response.output_text.delta') text += event.delta;
    assert.equal(text, 'Hello from the model');
  },
  async tools() {
    const first = await send({ input: 'tools please', tools });
    const calls = first.output.filter((item) => item.type === 'function_call');
    assert.equal(calls.length, 2);
    const results = calls.map((call) => ({ type: 'function_call_output', callId: call.callId, output: `sunny in ${JSON.parse(call.arguments).location}` }));
    assert.equal(textOf(await send({ tools, input: [{ role: 'user', content: 'tools please' }, ...calls, ...results] })), 'results: sunny in Bern and sunny in Rome');
  },
  async image() {
    const content = [{ type: 'input_text', text: 'image?' }, { type: 'input_image', imageUrl: png, detail: 'auto' }];
    assert.equal(textOf(await send({ input: [{ role: 'user', content }] })), 'seen: 1 image');
  },
  async 'JSON schema'() {
    const response = await send({ input: 'schema', text: { format: { type: 'json_schema', name: 'city', schema: citySchema, strict: true } } });
    assert.deepEqual(JSON.parse(textOf(response)), { city: 'Bern' });
  },
  async error() {
    const error = await send({ input: 'refuse' }).then(() => assert.fail('no error'), (fault) => fault);
    assert.equal(error.statusCode, 400);
  },
  async cancel() {
    const before = (await stats()).aborted;
    const stop = new AbortController();
    await (async () => {
      for await (const event of await send({ input: 'slow', stream: true }, { fetchOptions: { signal: stop.signal } })) {
        if (event.type === 'response.output_text.delta') stop.abort();
      }
    })().catch(() => {});
    await aborted(before);
  },
});
