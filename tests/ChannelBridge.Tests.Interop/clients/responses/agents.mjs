// @openai/agents, over HTTP and over its WebSocket.
import assert from 'node:assert/strict';
import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool } from '@openai/agents';
import { z } from 'zod';
import { aborted, apiKey, baseURL, model, png, run, stats } from './lib.mjs';

setTracingDisabled(true);
const weather = tool({
  name: 'get_weather', description: 'w', parameters: z.object({ location: z.string() }), execute: async ({ location }) => `sunny in ${location}`,
});
const checks = {};
for (const [way, options] of [['HTTP', {}], ['WebSocket', { useResponsesWebSocket: true }]]) {
  const provider = new OpenAIProvider({ baseURL, apiKey, useResponses: true, ...options });
  const runner = new Runner({ modelProvider: provider, tracingDisabled: true });
  const agent = (more = {}) => new Agent({ name: 'a', instructions: 'be kind', model, ...more });
  Object.assign(checks, {
    async [`${way}: text`]() {
      assert.equal((await runner.run(agent(), 'hi')).finalOutput, 'Hello from the model');
    },
    async [`${way}: stream`]() {
      const result = await runner.run(agent(), 'hi', { stream: true });
      let text = '';
      for await (const piece of result.toTextStream()) text += piece;
      await result.completed;
      assert.equal(text, 'Hello from the model');
    },
    async [`${way}: tools`]() {
      const result = await runner.run(agent({ tools: [weather] }), 'tools please');
      assert.equal(result.finalOutput, 'results: sunny in Bern and sunny in Rome');
    },
    async [`${way}: tools without a store`]() {
      const settings = { store: false, providerData: { include: ['reasoning.encrypted_content'] } };
      const result = await runner.run(agent({ tools: [weather], modelSettings: settings }), 'tools please', { stream: true });
      await result.completed;
      assert.equal(result.finalOutput, 'results: sunny in Bern and sunny in Rome');
    },
    async [`${way}: image`]() {
      const content = [{ type: 'input_text', text: 'image?' }, { type: 'input_image', image: png }];
      assert.equal((await runner.run(agent(), [{ role: 'user', content }])).finalOutput, 'seen: 1 image');
    },
    async [`${way}: JSON schema`]() {
      assert.deepEqual((await runner.run(agent({ outputType: z.object({ city: z.string() }) }), 'schema')).finalOutput, { city: 'Bern' });
    },
    async [`${way}: error, asked once`]() {
      const before = (await stats()).requests;
      const error = await runner.run(agent(), 'refuse').then(() => assert.fail('no error'), (fault) => fault);
      // Over its WebSocket the client tells only that the response has failed.
      assert.match(`${error.message} ${JSON.stringify(error)}`, way === 'HTTP' ? /too long/ : /response\.failed/);
      assert.equal((await stats()).requests - before, 1);
    },
    async [`${way}: cancel`]() {
      const before = (await stats()).aborted;
      const stop = new AbortController();
      const result = await runner.run(agent(), 'slow', { stream: true, signal: stop.signal });
      try {
        for await (const piece of result.toTextStream()) if (piece) stop.abort();
        await result.completed;
      } catch (error) {
        assert.match(`${error.name} ${error.message}`, /abort/i);
      }
      // Whether a run goes on without its client is the host's setting; here it ends.
      await aborted(before);
    },
  });
}
checks['HTTP: retries of a busy provider are the client\'s'] = async () => {
  const runner = new Runner({ modelProvider: new OpenAIProvider({ baseURL, apiKey, useResponses: true }), tracingDisabled: true });
  const before = (await stats()).requests;
  await runner.run(new Agent({ name: 'a', model }), 'busy for long').then(() => assert.fail('no error'), () => {});
  assert.equal((await stats()).requests - before, 1);
};
await run(checks);
