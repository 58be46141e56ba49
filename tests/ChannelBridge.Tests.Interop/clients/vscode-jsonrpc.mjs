// Drives a ChannelBridge host with vscode-jsonrpc, the JSON-RPC library of the Language Server Protocol, unchanged.
//
//   npm install vscode-jsonrpc@8 ws@8        (in some folder; run from there or name it with --modules DIR)
//   node vscode-jsonrpc.mjs socket PATH TOKEN [--modules DIR]
//   node vscode-jsonrpc.mjs ws URL TOKEN [--modules DIR]
//   node vscode-jsonrpc.mjs stdio TOKEN [--modules DIR] -- COMMAND ARGS…     (a host started with serve --stdio)
//
// Prints one line per check and exits with 1 at the first that fails.
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';

const args = process.argv.slice(2);
const separator = args.indexOf('--');
const command = separator < 0 ? [] : args.splice(separator).slice(1);
const modulesAt = args.indexOf('--modules');
const modules = modulesAt < 0 ? process.cwd() : args.splice(modulesAt, 2)[1];
const [door, ...rest] = args;
const require = createRequire(path.join(modules, 'index.js'));
const rpc = require('vscode-jsonrpc/node');

function check(what, ok, detail = '') {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${what}${ok ? '' : ` ${detail}`}`);
  if (!ok) process.exit(1);
}

async function refusal(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    return error;
  }
}

/** A vscode-jsonrpc connection on a WebSocket: one message a frame, as its own WebSocket bindings do it. */
async function overWebSocket(url) {
  const WebSocket = require('ws');
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  class Reader extends rpc.AbstractMessageReader {
    listen(callback) {
      socket.on('message', (data) => callback(JSON.parse(data.toString('utf8'))));
      socket.on('error', (error) => this.fireError(error));
      socket.on('close', () => this.fireClose());
      return { dispose() {} };
    }
  }
  class Writer extends rpc.AbstractMessageWriter {
    write(message) {
      return new Promise((resolve, reject) => socket.send(JSON.stringify(message), (error) => (error ? reject(error) : resolve())));
    }

    end() {
      socket.close();
    }
  }
  return rpc.createMessageConnection(new Reader(), new Writer());
}

async function overSocket(socketPath) {
  const socket = connect(socketPath);
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return rpc.createMessageConnection(new rpc.SocketMessageReader(socket), new rpc.SocketMessageWriter(socket));
}

/** Sends raw text as one message and gives the parsed answer that comes back. */
async function raw(text) {
  if (door === 'ws') {
    const WebSocket = require('ws');
    const socket = new WebSocket(rest[0]);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const answer = new Promise((resolve) => socket.once('message', (data) => resolve(JSON.parse(data.toString('utf8')))));
    socket.send(text);
    const parsed = await answer;
    socket.close();
    return parsed;
  }
  const socket = connect(rest[0]);
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  socket.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  return new Promise((resolve) => {
    let all = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      all += chunk;
      const [, length] = /^Content-Length: (\d+)\r\n/i.exec(all) ?? [];
      const at = all.indexOf('\r\n\r\n');
      if (at < 0 || Buffer.byteLength(all.slice(at + 4)) < Number(length)) return;
      socket.destroy();
      resolve(JSON.parse(all.slice(at + 4)));
    });
  });
}

let connection;
let token;
let child;
if (door === 'stdio') {
  [token] = rest;
  child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  connection = rpc.createMessageConnection(new rpc.StreamMessageReader(child.stdout), new rpc.StreamMessageWriter(child.stdin));
} else {
  token = rest[1];
  connection = await (door === 'ws' ? overWebSocket(rest[0]) : overSocket(rest[0]));
}
connection.listen();

const pong = await connection.sendRequest('ping', {});
check('ping answers', pong.pong === true && pong.ts > 0, JSON.stringify(pong));
check('ping without params answers', (await connection.sendRequest('ping')).pong === true);
check('one object by position answers', (await connection.sendRequest('ping', rpc.ParameterStructures.byPosition, {})).pong === true);

if (door === 'ws') {
  const early = await refusal(connection.sendRequest('diagnostics', {}));
  check('before authentication it is UNAUTHORIZED', early?.code === -32000 && early.data.code === 'UNAUTHORIZED', String(early));
}

const found = await connection.sendRequest('rpc.discover', {});
check('rpc.discover lists ping', found.methods.some((method) => method.name === 'ping'));
check('rpc.discover has schemas', found.methods.every((method) => method.params !== undefined && method.result !== undefined));

const unknown = await refusal(connection.sendRequest('no.such.method', {}));
check('an unknown method is -32601', unknown?.code === rpc.ErrorCodes.MethodNotFound, String(unknown));
const wrong = await refusal(connection.sendRequest('ping', { nonsense: true }));
check('a wrong parameter is -32602 with a code', wrong?.code === rpc.ErrorCodes.InvalidParams && wrong.data.code === 'INVALID_REQUEST', String(wrong));
const refused = await refusal(connection.sendRequest('auth.authenticate', { token: 'wrong-token-0123456789' }));
check('a wrong token is UNAUTHORIZED', refused?.code === -32000 && refused.data.code === 'UNAUTHORIZED', String(refused));
const granted = await connection.sendRequest('auth.authenticate', { token });
check('the token is accepted', granted.ok === true && granted.scopes.includes('operator.write'), JSON.stringify(granted));

const many = await Promise.all(Array.from({ length: 2000 }, () => connection.sendRequest('ping', {})));
check('2000 requests at once are all answered', many.length === 2000 && many.every((answer) => answer.pong));

// A call that lasts: an operator asks a client that never answers.
await connection.sendRequest('bncr.connect', { accountId: 'vscode', clientId: 'vscode' });
const asked = new Promise((resolve) => connection.onNotification('bncr.rpc.request', resolve));
const source = new rpc.CancellationTokenSource();
const lasting = connection.sendRequest('bncr.rpc.call', { accountId: 'vscode', method: 'wait', timeoutMs: 60_000 }, source.token);
check('an event arrives as a notification', (await asked).method === 'wait');
source.cancel();
const outcome = await refusal(lasting);
check('a cancelled request ends as CANCELLED', outcome?.code === -32800 && outcome.data?.code === 'CANCELLED', String(outcome));

if (door !== 'stdio') {
  const batch = await raw('[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"ping"},{"jsonrpc":"2.0","id":"two","method":"no.such"},7]');
  const of = (id) => batch.find((answer) => answer.id === id);
  check('a batch is answered as one', batch.length === 3 && of(1).result.pong === true && of('two').error.code === -32601 && of(null).error.code === -32600, JSON.stringify(batch));
  check('an empty batch is one error', (await raw('[]')).error?.code === -32600);
  check('no JSON is a parse error', (await raw('{"jsonrpc":')).error?.code === -32700);
}

await connection.sendNotification('ping', {});
await connection.sendNotification('$/setTrace', { value: 'off' });
check('after notifications it serves on', (await connection.sendRequest('ping', {})).pong === true);

connection.end();
connection.dispose();
if (child) {
  child.stdin.end();
  const code = await new Promise((resolve) => child.once('exit', resolve));
  check('the end of input stops the host', code === 0, `exit code ${code}`);
}
console.log('all well');
process.exit(0);
