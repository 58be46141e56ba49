// The plugin's own settings (plugins.entries.channelbridge.config) made into what the link needs: where the host is, its token, and
// in managed mode what to start. This is the only file that reads from the disk for the link.
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { PLUGIN_ID } from './manifest.mjs';

/** Where the host keeps its data unless told otherwise; the host uses the same rule. */
const defaultDirectory = () => path.join(os.homedir(), '.channelbridge');

const problem = (key, value, expected) =>
  new Error(`plugins.entries.${PLUGIN_ID}.config.${key} is ${value === undefined ? 'not set' : JSON.stringify(value)}; expected ${expected}`);

/**
 * The settings with defaults; throws with the key and an example when one is wrong.
 * { endpoint: { kind: 'socket', path, text } | { kind: 'ws', url, text }, tokenFile, managed: null | { command, dataDirectory, urls } }
 */
export function resolveSettings(config = {}) {
  const absolute = (key, example) => {
    if (config[key] !== undefined && !path.isAbsolute(config[key])) throw problem(key, config[key], `an absolute path such as ${example}`);
    return config[key];
  };
  const directory = absolute('dataDirectory', '/var/lib/channelbridge') ?? defaultDirectory();
  const managed = config.mode === 'managed';
  if (managed && config.endpoint !== undefined) throw problem('endpoint', config.endpoint, 'none in managed mode: the plugin knows where the host is that it starts');
  const command = absolute('command', '/opt/channelbridge/channelbridge');
  if (managed && command === undefined) throw problem('command', command, 'the absolute path of the host, such as /opt/channelbridge/channelbridge');
  const endpoint = config.endpoint === undefined ? socketIn(directory) : parseEndpoint(config);
  return {
    endpoint,
    tokenFile: absolute('tokenFile', '/var/lib/channelbridge/token') ?? path.join(endpoint.directory ?? directory, 'token'),
    managed: managed ? { command, dataDirectory: directory, urls: config.urls ?? 'off' } : null,
  };
}

/** The socket of the host whose data are in a folder; on Windows the pipe that stands in for it (the host's rule). */
function socketIn(directory) {
  const socket = path.join(directory, 'channelbridge.sock');
  if (process.platform !== 'win32') return { kind: 'socket', path: socket, text: `unix:${socket}` };
  const name = `channelbridge-${createHash('sha256').update(socket).digest('hex').slice(0, 16)}`;
  return { kind: 'socket', path: `\\\\.\\pipe\\${name}`, text: `npipe:${name}` };
}

function parseEndpoint({ endpoint, allowPlaintext }) {
  const expected = 'unix:/absolute/path/channelbridge.sock, npipe:NAME, ws://127.0.0.1:7788/rpc or wss://HOST/rpc';
  const [, scheme, rest] = /^(unix|npipe|wss?):(.+)$/s.exec(endpoint) ?? [];
  if (scheme === 'unix' && path.isAbsolute(rest)) return { kind: 'socket', path: rest, text: endpoint, directory: path.dirname(rest) };
  if (scheme === 'npipe') return { kind: 'socket', path: `\\\\.\\pipe\\${rest}`, text: endpoint };
  if (scheme !== 'ws' && scheme !== 'wss') throw problem('endpoint', endpoint, expected);
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (!url?.hostname || url.username || url.password || url.hash) throw problem('endpoint', endpoint, `${expected}, without a password in it`);
  if (scheme === 'ws' && !isLoopback(url.hostname) && allowPlaintext !== true) {
    throw problem('endpoint', endpoint, 'wss:// for another machine: the token and every message travel on it. If that network is yours alone, set allowPlaintext to true');
  }
  return { kind: 'ws', url: url.href, text: url.href };
}

const isLoopback = (host) => host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);

/** The host's token, read anew for each hello: the host may have written it after the gateway started. */
export async function readToken(tokenFile) {
  try {
    return (await fs.readFile(tokenFile, 'utf8')).trim();
  } catch (error) {
    throw new Error(`the token file ${tokenFile} can't be read (${error.code}); set plugins.entries.${PLUGIN_ID}.config.tokenFile to the host's DIR/token`);
  }
}
