// npm's openai client against a host whose agent is the real gateway's. Usage: openai-gateway.mjs MODULES BASE_URL TOKEN
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import path from 'node:path';

const [modules, baseURL, apiKey] = process.argv.slice(2);
const require = createRequire(path.join(modules, 'package.json'));
const OpenAI = require('openai').default ?? require('openai');
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });

const whole = await client.responses.create({ model: 'openclaw', input: 'ask:npm-client' });
assert.equal(whole.output_text, 'answer to npm-client');

const final = await client.responses.stream({ model: 'openclaw', input: 'ask:npm-stream' }).finalResponse();
assert.equal(final.output_text, 'answer to npm-stream');

const next = await client.responses.stream({ model: 'openclaw', input: 'ask:npm-next', previous_response_id: final.id }).finalResponse();
assert.equal(next.output_text, 'answer to npm-next');
console.log('all well');
