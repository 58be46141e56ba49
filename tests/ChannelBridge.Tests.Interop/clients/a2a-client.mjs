// A client of the JavaScript SDK of A2A (@a2a-js/sdk 0.3.14 or 1.3.0), unmodified, against a server that speaks both versions.
//
//   node a2a-client.mjs VERSION TRANSPORT URL --modules DIR        VERSION is 0.3 or 1.0, TRANSPORT JSONRPC or HTTP+JSON
//
// Prints one line per check and exits with 1 at the first that fails.
import { pathToFileURL } from 'node:url';
import path from 'node:path';
import process from 'node:process';
import { randomUUID } from 'node:crypto';

const args = process.argv.slice(2);
const modules = args.splice(args.indexOf('--modules'), 2)[1];
const [version, transport, url] = args;
const { ClientFactory, ClientFactoryOptions } = await import(
  pathToFileURL(path.join(modules, 'node_modules', '@a2a-js/sdk/dist/client/index.js')).href);
const old = version === '0.3';
const STATES = { 3: 'completed', 4: 'failed', 5: 'canceled', 6: 'input-required', 2: 'working', 1: 'submitted' };

function check(what, ok, detail = '') {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${what}${ok ? '' : ` ${JSON.stringify(detail)}`}`);
  if (!ok) process.exit(1);
}

// What differs between the two SDKs, and nothing else.
const text = value => old ? { kind: 'text', text: value } : { content: { $case: 'text', value }, filename: '', mediaType: '' };
const said = part => old ? part.text : part.content?.value;
const state = task => old ? task.status.state : STATES[task.status.state];
const request = (words, task, configuration) => ({
  ...(old ? {} : { tenant: '', metadata: undefined }),
  configuration,
  message: {
    messageId: randomUUID(), role: old ? 'user' : 1, parts: [text(words)], ...(old ? { kind: 'message' } : { extensions: [], referenceTaskIds: [] }),
    taskId: task?.id ?? (old ? undefined : ''), contextId: task?.contextId ?? (old ? undefined : ''),
  },
});
const now = old ? { blocking: false } : { acceptedOutputModes: [], returnImmediately: true };
const waiting = old ? { blocking: true } : { acceptedOutputModes: [], returnImmediately: false };
const byId = id => old ? { id } : { id, tenant: '' };
const unwrap = event => old ? { [event.kind]: event } : { [event.payload.$case.replace(/[A-Z]/, c => `-${c.toLowerCase()}`)]: event.payload.value };
async function refusal(promise) {
  try {
    await promise;
    return 'nothing';
  } catch (error) {
    return `${error.name} ${error.message}`;
  }
}

const factory = new ClientFactory(ClientFactoryOptions.createFrom(ClientFactoryOptions.default, { preferredTransports: [transport] }));
const client = await factory.createFromUrl(url);
check('the card', (await client.getAgentCard()).name.length > 0);

const echo = await client.sendMessage(request('echo ⚙ 会话', undefined, waiting));
check('a send that waits is answered with the task', state(echo) === 'completed', echo);
check('the artifact', said(echo.artifacts[0].parts[0]) === 'echo ⚙ 会话', echo);
const message = await client.sendMessage(request('message', undefined, waiting));
check('a direct message', message.parts && said(message.parts[0]) === 'directly', message);
check('get', state(await client.getTask(byId(echo.id))) === 'completed');

const kinds = [];
let streamed = '';
for await (const event of client.sendMessageStream(request('chunks'))) {
  const one = unwrap(event);
  kinds.push(Object.keys(one)[0]);
  if (one['artifact-update']) streamed += said(one['artifact-update'].artifact.parts[0]);
}
check('the first event of a stream is the task', kinds[0] === 'task', kinds);
check('the stream holds every chunk in order', streamed === 'one two three', streamed);

const asked = await client.sendMessage(request('ask', undefined, waiting));
check('a task that asks back', state(asked) === 'input-required', asked);
const answered = await client.sendMessage(request('echo more', asked, waiting));
check('goes on with an answer', answered.id === asked.id && state(answered) === 'completed', answered);

const open = await client.sendMessage(request('wait', undefined, now));
check('a send that does not wait', ['submitted', 'working'].includes(state(open)), open);
const states = [];
const listening = (async () => {
  for await (const event of client.resubscribeTask(byId(open.id))) {
    const one = unwrap(event);
    if (one['status-update']) states.push(state(one['status-update']));
    if (one.task) states.push(state(one.task));
  }
})();
while (states.length === 0) await new Promise(resolve => setTimeout(resolve, 10));
check('cancel', state(await client.cancelTask(byId(open.id))) === 'canceled');
await listening;
check('the stream ends with it', states.at(-1) === 'canceled', states);

check('cancel of an ended task', /ancel/.test(await refusal(client.cancelTask(byId(echo.id)))));
check('an unknown task', /not found|no such task/i.test(await refusal(client.getTask(byId('nobody')))));

const config = { id: 'p1', url: 'https://example.com/push', token: 't' };
const set = old
  ? await client.setTaskPushNotificationConfig({ taskId: echo.id, pushNotificationConfig: config })
  : await client.createTaskPushNotificationConfig({ ...config, taskId: echo.id, tenant: '', authentication: undefined });
check('a push configuration is set', (old ? set.pushNotificationConfig.url : set.url) === config.url, set);
const got = await client.getTaskPushNotificationConfig(
  old ? { id: echo.id, pushNotificationConfigId: 'p1' } : { taskId: echo.id, id: 'p1', tenant: '' });
check('and read', (old ? got.pushNotificationConfig.id : got.id) === 'p1', got);
const list = await client[old ? 'listTaskPushNotificationConfig' : 'listTaskPushNotificationConfig'](
  old ? { id: echo.id } : { taskId: echo.id, tenant: '', pageSize: 0, pageToken: '' });
check('and listed', (old ? list : list.configs).length === 1, list);
await client.deleteTaskPushNotificationConfig(
  old ? { id: echo.id, pushNotificationConfigId: 'p1' } : { taskId: echo.id, id: 'p1', tenant: '' });

if (!old) {
  const page = await client.listTasks({
    tenant: '', contextId: '', status: 3, pageSize: 1, pageToken: '', statusTimestampAfter: undefined, includeArtifacts: true,
  });
  check('list', page.tasks.length === 1 && page.nextPageToken.length > 0, page);
}
console.log('all well');
