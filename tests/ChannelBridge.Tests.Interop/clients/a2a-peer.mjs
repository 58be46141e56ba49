// A client of the JavaScript SDK of A2A (@a2a-js/sdk 0.3.14 or 1.3.0), unmodified, as a peer of a ChannelBridge host whose agent is `conformance`.
//
//   node a2a-peer.mjs VERSION TRANSPORT URL TOKEN before|after|push --modules DIR [--tasks JSON]
//
// `before` begins tasks and prints what `after` needs, which goes on with them: the host is killed and started again in between. Prints one line per check and exits
// with 1 at the first that fails.
import http from 'node:http';
import { randomUUID } from 'node:crypto';
import { args, check, connect, dialect, refusal } from './a2a-sdk.mjs';

const [version, transport, url, token, phase, given] = args;
const { old, said, state, request: written, now, waiting, byId, unwrap, list, push, pushOf, pushById, pushes, setPush } = dialect(version);
// What the agent does stands in the message's id.
const request = (prefix, task, configuration) => written('go on', { id: `${prefix}-${randomUUID()}`, task, configuration });

// The SDK's own way to authenticate differs between its versions; the header is the same.
const plain = globalThis.fetch;
globalThis.fetch = (input, init = {}) => plain(input, { ...init, headers: { ...Object.fromEntries(new Headers(init.headers)), authorization: `Bearer ${token}` } });
const client = await connect(url, transport);

if (phase === 'before') {
  const done = await client.sendMessage(request('tck-artifact-text', undefined, waiting));
  check('a send that waits', state(done) === 'completed' && said(done.artifacts[0].parts[0]) === 'Generated text content', done);
  const file = await client.sendMessage(request('tck-artifact-file', undefined, waiting));
  const part = file.artifacts[0].parts[0];
  check('a file', (old ? part.file.bytes : Buffer.from(part.content.value).toString('base64')) === 'dGNr' 
    // 0.3 has no place for the name over plain HTTP.
    && (old ? transport !== 'JSONRPC' || part.file.name === 'output.txt' : part.filename === 'output.txt'), part);
  const link = (await client.sendMessage(request('tck-artifact-file-url', undefined, waiting))).artifacts[0].parts[0];
  check('a file by its address', (old ? link.file.uri : link.content.value) === 'https://example.com/output.txt', link);
  const data = (await client.sendMessage(request('tck-artifact-data', undefined, waiting))).artifacts[0].parts[0];
  check('data', (old ? data.data : data.content.value).count === 42, data);
  const direct = await client.sendMessage(request('tck-message-response', undefined, waiting));
  check('a direct message', direct.parts && said(direct.parts[0]) === 'Direct message response', direct);
  const status = await client.sendMessage(request('tck-complete-task', undefined, waiting));
  check('a status message', said(status.status.message.parts[0]) === 'Hello from TCK', status);
  check('a rejection', state(await client.sendMessage(request('tck-reject-task', undefined, waiting))) === 'rejected');

  const kinds = [];
  let streamed = '';
  for await (const event of client.sendMessageStream(request('tck-stream-artifact-chunked', undefined, now))) {
    const one = unwrap(event);
    kinds.push(Object.keys(one)[0]);
    if (one['artifact-update']) streamed += said(one['artifact-update'].artifact.parts[0]);
    if (one['status-update']) kinds.push(state(one['status-update']));
  }
  check('a stream in order', kinds.join(' ') === 'task status-update working artifact-update artifact-update status-update completed', kinds);
  check('with its chunks', streamed === 'chunk-1 chunk-2', streamed);

  const asked = await client.sendMessage(request('tck-input-required', undefined, waiting));
  check('a task that asks', state(asked) === 'input-required', asked);
  const leave = await client.sendMessage(request('tck-input-required', undefined, waiting));
  const slow = await client.sendMessage(request('test-resubscribe-message-id', undefined, now));
  check('a task that runs', ['submitted', 'working'].includes(state(slow)), slow);
  const brief = ({ id, contextId }) => ({ id, contextId });
  console.log(`tasks ${JSON.stringify({ done: brief(done), asked: brief(asked), leave: brief(leave), slow: brief(slow) })}`);
}

if (phase === 'after') {
  const { done, asked, leave, slow } = JSON.parse(given);
  check('an ended task is there', said((await client.getTask(byId(done.id))).artifacts[0].parts[0]) === 'Generated text content');
  const states = [];
  try {
    for await (const event of client.resubscribeTask(byId(slow.id))) {
      const one = unwrap(event);
      states.push(state(one.task ?? one['status-update']));
    }
  } catch {
    // On a slow machine its four seconds are over before it is asked for: then it must have ended well.
    states.push(state(await client.getTask(byId(slow.id))));
  }
  check('a task that ran runs again under its id, and ends', states.at(-1) === 'completed', states);
  const answered = await client.sendMessage(request('answer', asked, waiting));
  check('a task that asked goes on', answered.id === asked.id && state(answered) === 'completed', answered);
  check('a task that waits is cancelled', state(await client.cancelTask(byId(leave.id))) === 'canceled');
  if (!old) {
    const page = await client.listTasks(list());
    check('list', page.tasks.length === 1 && page.nextPageToken.length > 0, page);
    const next = await client.listTasks(list({ pageToken: page.nextPageToken }));
    check('and its next page', next.tasks.length === 1 && next.tasks[0].id !== page.tasks[0].id, next);
  }
  const unknown = await refusal(client.getTask(byId('nobody')));
  check('an unknown task', /not found|no such task/i.test(unknown), unknown);
}

if (phase === 'push') {
  const got = [];
  const receiver = http.createServer((incoming, answer) => {
    let body = '';
    incoming.on('data', chunk => { body += chunk; });
    incoming.on('end', () => { got.push({ body: JSON.parse(body), token: incoming.headers['x-a2a-notification-token'] }); answer.end(); });
  });
  await new Promise(resolve => receiver.listen(0, '127.0.0.1', resolve));
  const task = await client.sendMessage(request('test-resubscribe-message-id', undefined, now));
  const config = { id: 'p1', url: `http://127.0.0.1:${receiver.address().port}/push`, token: 'shared' };
  const set = await setPush(client, push(task.id, config));
  check('a push configuration is set', pushOf(set).url === config.url, set);
  const kept = await client.listTaskPushNotificationConfig(pushes(task.id));
  check('and listed', (old ? kept : kept.configs).length === 1, kept);
  while (got.length === 0) await new Promise(resolve => setTimeout(resolve, 20));
  const { body } = got[0];
  check('the notification', got[0].token === 'shared' && (old ? body.id === task.id && body.status.state === 'completed'
    : body.statusUpdate.taskId === task.id && body.statusUpdate.status.state === 'TASK_STATE_COMPLETED'), got);
  await client.deleteTaskPushNotificationConfig(pushById(task.id, 'p1'));
  receiver.close();
}
console.log('all well');
