// A server of the JavaScript SDK of A2A (@a2a-js/sdk 0.3.14 or 1.3.0), as its documentation sets one up, with an agent that does what the text says.
//
//   node a2a-server.mjs VERSION --modules DIR        VERSION is 0.3 or 1.0
//
// Prints "listening PORT". Ends when its standard input does.
import process from 'node:process';
import { args, dialect, load } from './a2a-sdk.mjs';

const [version] = args;
const { DefaultRequestHandler, InMemoryTaskStore, ...server } = await load('@a2a-js/sdk/dist/server/index.js');
const { jsonRpcHandler, restHandler, agentCardHandler, UserBuilder } = await load('@a2a-js/sdk/dist/server/express/index.js');
const express = (await load('express/index.js')).default;
const { old, text, said: partText, stateOf, role } = dialect(version);
const said = message => message.parts.map(part => partText(part) ?? '').join('');
const status = state => ({ state: stateOf(state), message: undefined, timestamp: new Date().toISOString() });
const publish = (bus, kind, data) => bus.publish(old ? { kind, ...data } : server.AgentEvent[kind.replace(/-(.)/, (_, c) => c.toUpperCase())](data));
const update = (bus, ids, state) => publish(bus, 'status-update', {
  ...ids, status: status(state), metadata: undefined, ...(old ? { final: !['working', 'submitted'].includes(state) } : {}),
});
const artifact = (bus, ids, value, append, lastChunk) => publish(bus, 'artifact-update', {
  ...ids, append, lastChunk, metadata: undefined,
  artifact: { artifactId: 'answer', name: 'answer', description: '', parts: [text(value)], metadata: undefined, extensions: [] },
});

const waiting = new Map();
const executor = {
  async execute(context, bus) {
    const ids = { taskId: context.taskId, contextId: context.contextId };
    const words = said(context.userMessage);
    if (words.startsWith('message')) {
      publish(bus, 'message', {
        messageId: `answer-${context.userMessage.messageId}`, role: role('agent'), parts: [text('directly')], contextId: ids.contextId,
        ...(old ? {} : { taskId: '', metadata: undefined, extensions: [], referenceTaskIds: [] }),
      });
      bus.finished();
      return;
    }
    if (!context.task) {
      publish(bus, 'task', { id: ids.taskId, contextId: ids.contextId, status: status('submitted'), artifacts: [], history: [context.userMessage], metadata: undefined });
    }
    update(bus, ids, 'working');
    if (words.startsWith('wait')) {
      await new Promise(resolve => waiting.set(ids.taskId, resolve));
      update(bus, ids, 'canceled');
    } else if (words.startsWith('ask')) {
      update(bus, ids, 'input-required');
    } else if (words.startsWith('fail')) {
      update(bus, ids, 'failed');
    } else {
      const many = /^events (\d+)$/.exec(words); // for the benchmark
      const parts = words.startsWith('chunks') ? ['one ', 'two ', 'three'] : many ? Array(Number(many[1])).fill('a few words more ') : [words];
      for (const [i, part] of parts.entries()) artifact(bus, ids, part, i > 0, i === parts.length - 1);
      update(bus, ids, 'completed');
    }
    bus.finished();
  },
  async cancelTask(taskId) {
    waiting.get(taskId)?.();
    waiting.delete(taskId);
  },
};

const app = express();
const listener = app.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${listener.address().port}`;
  const common = {
    name: 'peer', description: 'A peer of the tests', version: '1',
    defaultInputModes: ['text/plain'], defaultOutputModes: ['text/plain'],
    skills: [{ id: 's', name: 's', description: 's', tags: [], examples: [], inputModes: [], outputModes: [], ...(old ? {} : { securityRequirements: [] }) }],
  };
  const card = old
    ? {
        ...common, protocolVersion: '0.3.0', url: `${url}/rpc`, preferredTransport: 'JSONRPC',
        additionalInterfaces: [{ url: `${url}/rpc`, transport: 'JSONRPC' }, { url: `${url}/rest`, transport: 'HTTP+JSON' }],
        capabilities: { streaming: true, pushNotifications: true },
      }
    : {
        ...common, provider: undefined, securitySchemes: {}, securityRequirements: [], signatures: [],
        supportedInterfaces: [
          { url: `${url}/rpc`, protocolBinding: 'JSONRPC', protocolVersion: '1.0', tenant: '' },
          { url: `${url}/rest`, protocolBinding: 'HTTP+JSON', protocolVersion: '1.0', tenant: '' },
        ],
        capabilities: { streaming: true, pushNotifications: true, extensions: [], extendedAgentCard: false },
      };
  const handler = new DefaultRequestHandler(card, new InMemoryTaskStore(), executor);
  const options = { requestHandler: handler, userBuilder: UserBuilder.noAuthentication };
  app.use('/.well-known/agent-card.json', agentCardHandler({ agentCardProvider: handler }));
  app.use('/rpc', jsonRpcHandler(options));
  app.use('/rest', restHandler(options));
  console.log(`listening ${listener.address().port}`);
});
process.stdin.on('end', () => process.exit(0)).resume();
