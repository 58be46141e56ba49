// @langchain/openai by the Responses API.
import assert from 'node:assert/strict';
import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { z } from 'zod';
import { aborted, apiKey, baseURL, citySchema, model, png, run, stats } from './lib.mjs';

const chat = new ChatOpenAI({ model, apiKey, useResponsesApi: true, maxRetries: 0, configuration: { baseURL } });
const weather = tool(async ({ location }) => `sunny in ${location}`, { name: 'get_weather', description: 'w', schema: z.object({ location: z.string() }) });

await run({
  async text() {
    assert.equal((await chat.invoke('hi')).text, 'Hello from the model');
  },
  async stream() {
    let text = '';
    for await (const piece of await chat.stream('hi')) text += piece.text;
    assert.equal(text, 'Hello from the model');
  },
  async tools() {
    const armed = chat.bindTools([weather]);
    const asked = new HumanMessage('tools please');
    const first = await armed.invoke([asked]);
    assert.equal(first.tool_calls.length, 2);
    const results = await Promise.all(first.tool_calls.map(async (call) => new ToolMessage({ tool_call_id: call.id, content: await weather.invoke(call.args) })));
    assert.equal((await armed.invoke([asked, first, ...results])).text, 'results: sunny in Bern and sunny in Rome');
  },
  async image() {
    const content = [{ type: 'text', text: 'image?' }, { type: 'image_url', image_url: { url: png } }];
    assert.equal((await chat.invoke([new HumanMessage({ content })])).text, 'seen: 1 image');
  },
  async 'JSON schema'() {
    const asking = chat.withStructuredOutput(citySchema, { name: 'city', method: 'jsonSchema', strict: true });
    assert.deepEqual(await asking.invoke('schema'), { city: 'Bern' });
  },
  async error() {
    const error = await chat.invoke('refuse').then(() => assert.fail('no error'), (fault) => fault);
    assert.equal(error.status, 400);
  },
  async cancel() {
    const before = (await stats()).aborted;
    const stop = new AbortController();
    await (async () => {
      for await (const piece of await chat.stream('slow', { signal: stop.signal })) if (piece.text) stop.abort();
    })().catch((error) => assert.match(`${error.name} ${error.message}`, /abort/i));
    await aborted(before);
  },
});
