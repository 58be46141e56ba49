// Drives a ChannelBridge host with vscode-jsonrpc, the JSON-RPC library of the Language Server Protocol, unchanged.
//
//   npm install vscode-jsonrpc@10.0.0        (in some folder; run from there or set NODE_PATH-like --modules DIR)
//   node vscode-jsonrpc.mjs socket PATH TOKEN [--modules DIR]
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

let connection;
let token;
let child;
if (door === 'stdio') {
  [token] = rest;
  child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  connection = rpc.createMessageConnection(new rpc.StreamMessageReader(child.stdout), new rpc.StreamMessageWriter(child.stdin));
} else {
  const [socketPath, given] = rest;
  token = given;
  const socket = connect(socketPath);
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  connection = rpc.createMessageConnection(new rpc.SocketMessageReader(socket), new rpc.SocketMessageWriter(socket));
}
connection.listen();

const pong = await connection.sendRequest('ping', {});
check('ping answers', pong.pong === true && pong.ts > 0, JSON.stringify(pong));
check('ping without params answers', (await connection.sendRequest('ping')).pong === true);
check('one object by position answers', (await connection.sendRequest('ping', rpc.ParameterStructures.byPosition, {})).pong === true);

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

const source = new rpc.CancellationTokenSource();
const cancelled = connection.sendRequest('ping', {}, source.token);
source.cancel();
const outcome = await refusal(cancelled);
check('a cancelled request ends', outcome === null || outcome.data?.code === 'CANCELLED' || outcome.code !== undefined, String(outcome));

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
