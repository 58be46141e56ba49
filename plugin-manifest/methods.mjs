// The gateway methods of the channels. Each is forwarded to the host as it is, with the caller's connection id and scopes, and the host's
// answer
// or error goes back as it is. The gateway checks the scope that offers.json names, the host checks it again. Nothing is understood here
// but which
// connections there are.
import { bridge } from './bridge.mjs';
import { METHODS } from './manifest.mjs';
import { LinkError } from './rpc.mjs';

/** Methods that carry a file's bytes in base64, and in which param. They go to the host as they are. */
const BYTES = { 'bncr.file.chunk': 'base64' };

/** Accounts that a connection is remembered to be the client of. */
const MAX_LEASES = 256;

/**
 * Live connections that have spoken to the host: connId → { scopes, clientId, leases (account → what its last bncr.connect said and was
 * given) }.
 */
const connections = new Map();

/** Registers every method. */
export function registerMethods(api) {
  for (const [method, scope] of Object.entries(METHODS)) {
    api.registerGatewayMethod(method, (options) => forward(method, options), { scope, profileAccess: 'independent' });
  }
}

async function forward(method, { params, client, respond, context, req }) {
  bridge.context = context;
  const connId = client?.connId;
  try {
    if (!connId) throw new LinkError('INVALID_REQUEST', `${method} needs a client connection`);
    const connection = remember(connId, client);
    const result = await callHost(method, params ?? {}, connId, connection, req?.traceparent);
    if (method === 'bncr.connect') {
      const { accountId, clientId, ack } = params ?? {};
      noteLease(connection, { accountId, clientId, ack, leaseId: result?.leaseId, connectionEpoch: result?.connectionEpoch }, result?.accountId ?? accountId);
    }
    respond(true, result);
  } catch (error) {
    respond(false, { error: error.payloadError ?? error.message }, {
      code: error.code ?? 'UNAVAILABLE',
      message: error.message,
      ...(error.details !== undefined ? { details: error.details } : {}),
      retryable: error.retryable === true,
      ...(error.retryAfterMs !== undefined ? { retryAfterMs: error.retryAfterMs } : {}),
    });
  }
}

function callHost(method, params, connId, { scopes, clientId, identity }, traceparent) {
  if (!bridge.link) return Promise.reject(LinkError.away());
  const content = BYTES[method] && bridge.link.binary ? decode(params[BYTES[method]]) : undefined;
  const rest = content ? { ...params, [BYTES[method]]: undefined } : params;
  return bridge.link.request('link.request', { method, params: rest, connId, scopes, clientId, identity, traceparent }, { content });
}

/** The bytes of a base64 text, or undefined: what isn't quite base64 goes to the host as it came, which says what is wrong with it. */
function decode(text) {
  if (typeof text !== 'string' || text.length === 0 || text.length % 4 !== 0 || text.includes('-') || text.includes('_')) return undefined;
  const bytes = Buffer.from(text, 'base64');
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return bytes.length === (text.length / 4) * 3 - padding ? bytes : undefined;
}

/** The first word of a connection: from now on the host is told when it ends. */
function remember(connId, client) {
  let connection = connections.get(connId);
  if (connection) return connection;
  const device = client.connect?.device?.id;
  connection = { scopes: client.connect?.scopes ?? [], clientId: client.connect?.client?.id, identity: device ? `device:${device}` : undefined, leases: new Map() };
  const signal = client.connectionSignal;
  if (signal?.aborted) return connection;
  connections.set(connId, connection);
  signal?.addEventListener('abort', () => {
    connections.delete(connId);
    bridge.link?.notify('link.disconnected', { connId });
  }, { once: true });
  return connection;
}

/** A connection may be the client of several accounts; the ones that it spoke of last are remembered. */
function noteLease({ leases }, lease, accountId) {
  const account = String(accountId ?? '').toLowerCase();
  leases.delete(account);
  leases.set(account, lease);
  if (leases.size > MAX_LEASES) leases.delete(leases.keys().next().value);
}

/**
 * After the host has come back: each account of each bridge that is still connected to the gateway is announced again by the heartbeat that
 * the
 * bridge would send itself some time later, so that its messages flow at once.
 */
export async function announceConnections() {
  for (const [connId, connection] of connections) {
    for (const lease of connection.leases.values()) {
      await callHost('bncr.activity', lease, connId, connection).catch((error) => {
        bridge.logger.warn(`a bridge connection couldn't be announced to the host: ${error.message}`);
      });
    }
  }
}

/**
 * Answers link.push: one event to exactly one connection, with its bytes as base64 in the member `contentAs`. Synchronous, so that pushes
 * keep their order.
 */
export function push({ connId, event, payload, contentAs }, content) {
  const { context } = bridge;
  if (!context || context.isConnectionActive?.(connId) === false) return { delivered: false, reason: 'gone' };
  if (content && contentAs) payload[contentAs] = content.toString('base64');
  context.broadcastToConnIds(event, payload, new Set([connId]));
  return { delivered: true };
}

export const connectionCount = () => connections.size;
