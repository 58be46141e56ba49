// Shared by the clients' scripts: NAME.mjs BASE_URL TOKEN PROVIDER_URL. Ends with exit code 0 and the line "all well", or says what is wrong.
import assert from 'node:assert/strict';

export const [baseURL, apiKey, provider] = process.argv.slice(2);
export const model = 'model';
export const png = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
export const citySchema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
export const weatherSchema = { type: 'object', properties: { location: { type: 'string' } }, required: ['location'], additionalProperties: false };
export const stats = async () => (await fetch(`${provider}/stats`)).json();

/** Waits until the provider has seen its client go: the end of a request reached it through the host. */
export async function aborted(before) {
  for (let tries = 0; tries < 600; tries += 1) {
    if ((await stats()).aborted > before) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail('the provider still answers somebody who has gone');
}

export async function run(checks) {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`WRONG ${name}: ${error.stack ?? error}`);
    }
  }
  console.log(failed === 0 ? 'all well' : `${failed} wrong`);
  process.exit(failed === 0 ? 0 : 1);
}
