// Codex's command line in its default configuration, over WebSocket and over HTTP: it offers tools of every kind, and keeps the conversation itself.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { aborted, apiKey, baseURL, citySchema, model, png, run, stats } from './lib.mjs';

const program = path.join(path.dirname(createRequire(import.meta.url).resolve('@openai/codex/package.json')), 'bin', 'codex.js');
const home = fs.mkdtempSync(path.join(os.tmpdir(), 'cbcodex-'));
process.on('exit', () => fs.rmSync(home, { recursive: true, force: true }));

function codex(way, prompt, more = [], { until } = {}) {
  const settings = [
    'model_provider="bridge"', `model="${model}"`, 'model_providers.bridge.name="bridge"', `model_providers.bridge.base_url="${baseURL}"`,
    'model_providers.bridge.env_key="BRIDGE_KEY"', 'model_providers.bridge.wire_api="responses"', `model_providers.bridge.supports_websockets=${way === 'WebSocket'}`,
    'model_providers.bridge.request_max_retries=0', 'model_providers.bridge.stream_max_retries=0', 'check_for_update_on_startup=false', 'analytics.enabled=false',
  ].flatMap((setting) => ['-c', setting]);
  const child = spawn(process.execPath, [program, 'exec', '--json', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', ...settings, ...more, prompt], {
    // Nothing of the user's own, and no way out.
    env: { PATH: process.env.PATH, HOME: home, CODEX_HOME: home, BRIDGE_KEY: apiKey, HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1' },
    cwd: home,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (data) => { output += data; });
  child.stderr.on('data', (data) => { output += data; });
  until?.(child);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

const checks = {};
for (const way of ['WebSocket', 'HTTP']) {
  Object.assign(checks, {
    async [`${way}: text, streamed`]() {
      const { code, output } = await codex(way, 'hi');
      assert.match(output, /Hello from the model/);
      assert.equal(code, 0, output);
    },
    async [`${way}: tools`]() {
      const { output } = await codex(way, 'tools please');
      assert.match(output, /results: [\s\S]*one[\s\S]* and [\s\S]*two/);
    },
    async [`${way}: image`]() {
      const file = path.join(home, 'dot.png');
      fs.writeFileSync(file, Buffer.from(png.split(',')[1], 'base64'));
      // Its switch takes several files: the prompt must not be one of them.
      assert.match((await codex(way, 'image?', ['-i', file, '--'])).output, /seen: 1 image/);
    },
    async [`${way}: JSON schema`]() {
      const file = path.join(home, 'schema.json');
      fs.writeFileSync(file, JSON.stringify(citySchema));
      assert.match((await codex(way, 'schema', ['--output-schema', file])).output, /\{\\"city\\":\\"Bern\\"\}/);
    },
    async [`${way}: error`]() {
      const { code, output } = await codex(way, 'refuse');
      assert.notEqual(code, 0);
      assert.match(output, /too long|context window/);
    },
    async [`${way}: cancel`]() {
      const before = await stats();
      await codex(way, 'slow', [], { until: async (child) => {
        while ((await stats()).requests === before.requests) await new Promise((resolve) => setTimeout(resolve, 50));
        child.kill('SIGINT');
      } });
      await aborted(before.aborted);
    },
  });
}
await run(checks);
