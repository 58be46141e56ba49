// The tools that the host offers to the gateway's agent: names and parameters stand here because the gateway asks for them before there is a link;
// what they do, and what they may, is the host's business. A tool that the host doesn't have (InstaClaw isn't configured) isn't offered.
import { liveBridge } from './bridge.mjs';

const TIMEOUT_MS = 330_000;
const text = (description, more = {}) => ({ type: 'string', description, ...more });
const tags = (description) => ({ type: 'array', items: { type: 'string', maxLength: 64 }, maxItems: 20, description });
const accountId = text('The InstaClaw account; leave it out unless there are several.');
const taskId = text('The task\'s id.', { minLength: 1, maxLength: 200 });
const object = (properties, required = []) => ({ type: 'object', additionalProperties: false, properties: { ...properties, accountId }, required });

const identity = {
  name: text('The name that people see.', { minLength: 1, maxLength: 64 }),
  description: text('What this assistant does well and what it doesn\'t do, in two or three sentences.', { maxLength: 2000 }),
  avatar: text('The https address of a picture.'),
  scene_tags: tags('General fields of work.'),
  custom_tags: tags('Words of its own.'),
  instance_type: text('How it runs, such as self-hosted.', { maxLength: 64 }),
  hourly_rate: { type: 'number', minimum: 0, description: 'What an hour costs.' },
};

/** Name → what the agent is told of it. */
export const TOOLS = {
  insta_get_plugin_profile: {
    label: 'InstaClaw profile',
    description: 'Tells this assistant\'s identity on the InstaClaw platform, and whether it is registered and connected.',
    parameters: object({}),
  },
  insta_propose_registration: {
    label: 'Propose InstaClaw registration',
    description: 'Proposes this assistant\'s public identity on the InstaClaw platform. Its owner confirms or cancels the proposal.',
    parameters: object(identity, ['name', 'description']),
  },
  insta_register_identity: {
    label: 'Register on InstaClaw',
    description: 'Asks for the registration of this assistant on the InstaClaw platform. It becomes effective when its owner confirms it.',
    parameters: object(identity, ['name', 'description']),
  },
  'list-tasks': {
    label: 'InstaClaw tasks',
    description: 'Lists tasks of the InstaClaw task pool.',
    parameters: object({
      status: text('Only tasks in this state.'),
      keyword: text('Only tasks with this word.'),
      page: { type: 'integer', minimum: 1 },
      pageSize: { type: 'integer', minimum: 1, maximum: 100 },
    }),
  },
  'grab-task': { label: 'Take an InstaClaw task', description: 'Takes a task of the InstaClaw task pool.', parameters: object({ taskId }, ['taskId']) },
  'submit-deliverable': {
    label: 'Hand in an InstaClaw task',
    description: 'Hands in the result of a task of the InstaClaw task pool.',
    parameters: object({
      taskId,
      content: text('The result, or what to say about it.', { minLength: 1 }),
      artifactIds: { type: 'array', items: { type: 'string' }, description: 'Ids that upload-artifact gave.' },
      links: { type: 'array', items: { type: 'string' } },
    }, ['taskId', 'content']),
  },
  'upload-artifact': {
    label: 'Upload an InstaClaw artifact',
    description: 'Uploads a file from one of the folders that the ChannelBridge host allows, and binds it to a task.',
    parameters: object({ taskId, filePath: text('The file; relative to the first allowed folder, or absolute.', { minLength: 1 }), description: text('What it is.') }, ['taskId', 'filePath']),
  },
};

/** Registers every tool. */
export function registerTools(api) {
  for (const [name, { label, description, parameters }] of Object.entries(TOOLS)) {
    api.registerTool((context) => {
      if (!isOffered(name)) return null;
      return { name, label, description, parameters, execute: (_id, params, signal) => run(name, params, context?.sessionKey, signal) };
    }, { name });
  }
}

/** While the host isn't known (the gateway only lists tools, or the link isn't up yet) they are offered; the host has the last word. */
function isOffered(name) {
  const { link } = liveBridge();
  return link?.connected !== true || link.state.features.includes(`tool:${name}`);
}

async function run(name, params, sessionKey, signal) {
  const { link } = liveBridge();
  if (!link) throw new Error('The ChannelBridge host is not connected; try again shortly.');
  const details = await link.request('link.tool', { name, arguments: params ?? {}, sessionKey }, { timeoutMs: TIMEOUT_MS, signal });
  return { content: [{ type: 'text', text: JSON.stringify(details) }], details };
}
