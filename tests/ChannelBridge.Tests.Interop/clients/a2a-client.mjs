// A client of the JavaScript SDK of A2A (@a2a-js/sdk 0.3.14 or 1.3.0), unmodified, against a server that speaks both versions.
//
//   node a2a-client.mjs VERSION TRANSPORT URL --modules DIR        VERSION is 0.3 or 1.0, TRANSPORT JSONRPC or HTTP+JSON
//
// Prints one line per check and exits with 1 at the first that fails.
import { args, check, connect, dialect, refusal } from './a2a-sdk.mjs';

const [version, transport, url] = args;
const { old, said, state, request, now, waiting, byId, unwrap, list: listed, push, pushOf, pushById, pushes, setPush } = dialect(version);
const client = await connect(url, transport);
check('the card', (await client.getAgentCard()).name.length > 0);

const echo = await client.sendMessage(request('echo ⚙ 会话', { configuration: waiting }));
check('a send that waits is answered with the task', state(echo) === 'completed', echo);
check('the artifact', said(echo.artifacts[0].parts[0]) === 'echo ⚙ 会话', echo);
const message = await client.sendMessage(request('message', { configuration: waiting }));
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

const asked = await client.sendMessage(request('ask', { configuration: waiting }));
check('a task that asks back', state(asked) === 'input-required', asked);
const answered = await client.sendMessage(request('echo more', { task: asked, configuration: waiting }));
check('goes on with an answer', answered.id === asked.id && state(answered) === 'completed', answered);

const open = await client.sendMessage(request('wait', { configuration: now }));
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
const set = await setPush(client, push(echo.id, config));
check('a push configuration is set', pushOf(set).url === config.url, set);
const got = await client.getTaskPushNotificationConfig(pushById(echo.id, 'p1'));
check('and read', pushOf(got).id === 'p1', got);
const list = await client.listTaskPushNotificationConfig(pushes(echo.id));
check('and listed', (old ? list : list.configs).length === 1, list);
await client.deleteTaskPushNotificationConfig(pushById(echo.id, 'p1'));

if (!old) {
  const page = await client.listTasks(listed());
  check('list', page.tasks.length === 1 && page.nextPageToken.length > 0, page);
}
console.log('all well');
