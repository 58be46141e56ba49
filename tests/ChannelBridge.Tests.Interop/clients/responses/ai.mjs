// Vercel's ai with @ai-sdk/openai and with @ai-sdk/open-responses.
import assert from 'node:assert/strict';
import { createOpenResponses } from '@ai-sdk/open-responses';
import { createOpenAI } from '@ai-sdk/openai';
import { generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { aborted, apiKey, baseURL, citySchema, model, png, run, stats, weatherSchema } from './lib.mjs';

const models = {
  openai: createOpenAI({ baseURL, apiKey }).responses(model),
  'open-responses': createOpenResponses({ name: 'bridge', url: `${baseURL}/responses`, apiKey })(model),
};
const tools = {
  get_weather: tool({ description: 'w', inputSchema: jsonSchema(weatherSchema), execute: async ({ location }) => `sunny in ${location}` }),
};
const checks = {};
for (const [name, chosen] of Object.entries(models)) {
  const ask = { model: chosen, maxRetries: 0 };
  Object.assign(checks, {
    async [`${name}: text`]() {
      assert.equal((await generateText({ ...ask, prompt: 'hi' })).text, 'Hello from the model');
    },
    async [`${name}: stream`]() {
      let text = '';
      for await (const piece of streamText({ ...ask, prompt: 'hi' }).textStream) text += piece;
      assert.equal(text, 'Hello from the model');
    },
    async [`${name}: tools`]() {
      const { text, steps } = await generateText({ ...ask, prompt: 'tools please', tools, stopWhen: stepCountIs(3) });
      assert.equal(steps[0].toolCalls.length, 2);
      assert.equal(text, 'results: sunny in Bern and sunny in Rome');
    },
    async [`${name}: tools in a stream`]() {
      const result = streamText({ ...ask, prompt: 'tools please', tools, stopWhen: stepCountIs(3) });
      assert.equal(await result.text, 'results: sunny in Bern and sunny in Rome');
    },
    async [`${name}: image`]() {
      const content = [{ type: 'text', text: 'image?' }, { type: 'image', image: png }];
      assert.equal((await generateText({ ...ask, messages: [{ role: 'user', content }] })).text, 'seen: 1 image');
    },
    async [`${name}: JSON schema`]() {
      assert.deepEqual((await generateObject({ ...ask, prompt: 'schema', schema: jsonSchema(citySchema) })).object, { city: 'Bern' });
    },
    async [`${name}: error`]() {
      const error = await generateText({ ...ask, prompt: 'refuse' }).then(() => assert.fail('no error'), (fault) => fault);
      assert.equal(error.statusCode, 400);
      assert.equal(error.isRetryable, false);
    },
    async [`${name}: cancel`]() {
      const before = (await stats()).aborted;
      const stop = new AbortController();
      const result = streamText({ ...ask, prompt: 'slow', abortSignal: stop.signal, onError() {} });
      for await (const piece of result.textStream) if (piece) stop.abort();
      await aborted(before);
    },
  });
}
await run(checks);
