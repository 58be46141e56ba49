// What the tests' scripts share that use the JavaScript SDK of A2A, 0.3.14 or 1.3.0: loading it, and what differs between the two.
import { pathToFileURL } from 'node:url';
import path from 'node:path';
import process from 'node:process';
import { randomUUID } from 'node:crypto';

// The arguments without `--modules DIR`, the folder in which the SDK is installed.
export const args = process.argv.slice(2);
const modules = args.splice(args.indexOf('--modules'), 2)[1];

/** Imports a file of an installed package, e.g. `express/index.js`. */
export const load = file => import(pathToFileURL(path.join(modules, 'node_modules', file)).href);

/** Prints one line for a check, and ends the script with 1 when it fails. */
export function check(what, ok, detail = '') {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${what}${ok ? '' : ` ${JSON.stringify(detail)}`}`);
  if (!ok) process.exit(1);
}

/** What a promise fails with, in words. */
export async function refusal(promise) {
  try {
    await promise;
    return 'nothing';
  } catch (error) {
    return `${error.name} ${error.message}`;
  }
}

const STATES = { 1: 'submitted', 2: 'working', 3: 'completed', 4: 'failed', 5: 'canceled', 6: 'input-required', 7: 'rejected' };
const NUMBERS = Object.fromEntries(Object.entries(STATES).map(([number, word]) => [word, Number(number)]));

/** Records as one version of the SDK wants and gives them; VERSION is 0.3 or 1.0. */
export function dialect(version) {
  const old = version === '0.3';
  const text = value => old ? { kind: 'text', text: value } : { content: { $case: 'text', value }, metadata: undefined, filename: '', mediaType: '' };
  return {
    old,
    text,
    said: part => old ? part.text : part.content?.$case === 'text' ? part.content.value : undefined,
    /** The state of a task or of a status update, as 0.3 writes it. */
    state: task => old ? task.status.state : STATES[task.status.state],
    stateOf: word => old ? word : NUMBERS[word],
    role: word => old ? word : { user: 1, agent: 2 }[word],
    /** A message to send; `task` is the one that it continues. */
    request: (words, { id = randomUUID(), task, configuration } = {}) => ({
      ...(old ? {} : { tenant: '', metadata: undefined }),
      configuration,
      message: {
        messageId: id, role: old ? 'user' : 1, parts: [text(words)], ...(old ? { kind: 'message' } : { extensions: [], referenceTaskIds: [] }),
        taskId: task?.id ?? (old ? undefined : ''), contextId: task?.contextId ?? (old ? undefined : ''),
      },
    }),
    now: old ? { blocking: false } : { acceptedOutputModes: [], returnImmediately: true },
    waiting: old ? { blocking: true } : { acceptedOutputModes: [], returnImmediately: false },
    byId: id => old ? { id } : { id, tenant: '' },
    /** An event of a stream as `{ kind: record }`. */
    unwrap: event => old ? { [event.kind]: event } : { [event.payload.$case.replace(/[A-Z]/, c => `-${c.toLowerCase()}`)]: event.payload.value },
    list: more => ({ tenant: '', contextId: '', status: 3, pageSize: 1, pageToken: '', statusTimestampAfter: undefined, includeArtifacts: true, ...more }),
    push: (taskId, config) => old ? { taskId, pushNotificationConfig: config } : { ...config, taskId, tenant: '', authentication: undefined },
    pushOf: set => old ? set.pushNotificationConfig : set,
    pushById: (taskId, id) => old ? { id: taskId, pushNotificationConfigId: id } : { taskId, id, tenant: '' },
    pushes: taskId => old ? { id: taskId } : { taskId, tenant: '', pageSize: 0, pageToken: '' },
    setPush: (client, config) => old ? client.setTaskPushNotificationConfig(config) : client.createTaskPushNotificationConfig(config),
  };
}

/** A client of the SDK for a server, by one transport (JSONRPC or HTTP+JSON). */
export async function connect(url, transport) {
  const { ClientFactory, ClientFactoryOptions } = await load('@a2a-js/sdk/dist/client/index.js');
  const factory = new ClientFactory(ClientFactoryOptions.createFrom(ClientFactoryOptions.default, { preferredTransports: [transport] }));
  return factory.createFromUrl(url);
}
