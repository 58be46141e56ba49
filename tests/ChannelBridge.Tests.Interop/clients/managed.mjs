// Drives plugin-manifest/managed.mjs without a gateway, against a real host and against programs that misbehave.
//
//   node managed.mjs REPOSITORY HOST FOLDER        HOST: the host's program; FOLDER: an empty one
//   node managed.mjs REPOSITORY HOST FOLDER hold   starts the host, says its process id and waits to be killed
//
// Prints one line per check and exits with 1 at the first that fails.
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';

const [repository, command, folder, role] = process.argv.slice(2);
const { ManagedHost } = await import(pathToFileURL(path.join(repository, 'plugin-manifest', 'managed.mjs')));

const log = [];
const logger = Object.fromEntries(['debug', 'info', 'warn', 'error'].map((level) => [level, (line) => log.push(`${level} ${line}`)]));
const delays = { first: 20, max: 200, stable: 60_000, killAfter: 500, waitForStop: 20_000 };
let made = 0;
const newFolder = () => {
  const made1 = path.join(folder, `${process.pid}-${made++}`);
  fs.mkdirSync(made1, { mode: 0o700 });
  return made1;
};
const host = (options = {}) => new ManagedHost({ command, dataDirectory: newFolder(), urls: 'off', logger, delays, ...options });

function check(what, ok, detail = '') {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${what}${ok ? '' : ` ${detail}\n${log.join('\n')}`}`);
  if (!ok) process.exit(1);
}

async function until(what, condition) {
  const end = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > end) check(what, false, 'not within 60 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  check(what, true);
}

const lives = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** A program of the test's own: a shell script. */
function program(lines, mode = 0o755) {
  const file = path.join(newFolder(), 'program');
  fs.writeFileSync(file, `#!/bin/sh\n${lines}\n`);
  fs.chmodSync(file, mode);
  return file;
}

if (role === 'hold') {
  const held = host();
  await held.start();
  await until('the held host runs', () => held.state.status === 'running');
  console.log(`pid ${held.state.pid}`);
  await new Promise((resolve) => setTimeout(resolve, 120_000));
}

// What is refused before anything is started.
for (const [what, file, words] of [
  ['a relative path', 'channelbridge', 'not an absolute path'],
  ['a file that is not there', path.join(folder, 'nothing'), 'no such file'],
  ['a file that may not be executed', program('exit 0', 0o644), process.getuid() === 0 ? 'may not be executed' : 'may not be executed'],
  ['a folder', folder, 'not a file'],
  ['a file that everybody can write', program('exit 0', 0o777), 'written by everybody'],
]) {
  const refused = host({ command: file });
  await refused.start();
  check(`${what} is refused`, refused.state.status === 'failed' && refused.problem.includes(words) && refused.state.pid === null, JSON.stringify(refused.state));
}
const shared = program('exit 0');
fs.chmodSync(path.dirname(shared), 0o777);
const inShared = host({ command: shared });
await inShared.start();
check('a file in a folder that everybody can write is refused', inShared.problem.includes('written by everybody'), inShared.problem);

// A real host.
process.env.OPENCLAW_GATEWAY_TOKEN = 'a-secret-of-the-gateway';
let running = 0;
const real = host({ onRunning: () => running++ });
const { dataDirectory } = { dataDirectory: path.join(folder, `${process.pid}-${made - 1}`) };
await real.start();
await until('a host starts', () => real.state.status === 'running');
check('the plugin is told that it runs', running === 1);
const { pid } = real.state;
const token = fs.readFileSync(path.join(dataDirectory, 'token'), 'utf8').trim();
const commandLine = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
check('no token on its command line', !commandLine.includes(token) && commandLine.includes('--managed'), commandLine);
check('it inherits no secret of the gateway', !fs.readFileSync(`/proc/${pid}/environ`, 'utf8').includes('a-secret-of-the-gateway'));
check('no token in the log', log.length > 0 && !log.some((line) => line.includes(token)));
process.kill(pid, 'SIGKILL');
await until('after kill -9 another one starts', () => real.state.status === 'running' && real.state.pid !== pid);
check('one restart was counted', real.state.restarts === 1);
const second = real.state.pid;
await real.stop();
check('it stops with the gateway, in order', !lives(second) && !fs.existsSync(path.join(dataDirectory, 'host.json')));

// Another host is there already.
const first = host({ dataDirectory });
const other = host({ dataDirectory });
await first.start();
await until('one host runs', () => first.state.status === 'running');
await other.start();
await until('a second one on the same data steps back', () => other.state.status === 'another');
check('that is no problem', other.problem === null && other.state.pid === null);
await first.stop();
await until('and takes over when the first has gone', () => other.state.status === 'running');
await other.stop();

// No storm.
const starts = path.join(newFolder(), 'starts');
const failing = host({ command: program(`echo start >> ${starts}; echo 'error: the disk is full' >&2; exit 5`) });
await failing.start();
await until('a host that can not start is given up', () => failing.state.status === 'failed');
const count = fs.readFileSync(starts, 'utf8').trim().split('\n').length;
check('after six starts', count === 6, `${count}`);
check('with its own last words', failing.problem.includes('6 starts in a row') && failing.problem.includes('the disk is full'), failing.problem);
const wrong = host({ command: program('exit 3') });
await wrong.start();
await until('wrong settings are given up at once', () => wrong.state.status === 'failed');
check('without another start', wrong.state.restarts === 0 && wrong.problem.includes('a setting of the host is wrong'), wrong.problem);

// One that doesn't listen.
const stubborn = host({ command: program("trap '' TERM; echo ready; while :; do sleep 0.1; done") });
await stubborn.start();
await until('a stubborn host runs', () => stubborn.state.status === 'running');
const stubbornPid = stubborn.state.pid;
await stubborn.stop();
check('a host that ignores the request is killed', !lives(stubbornPid));

// No orphan.
const holder = spawn(process.execPath, [...process.execArgv, process.argv[1], repository, command, folder, 'hold'], { stdio: ['ignore', 'pipe', 'inherit'] });
let said = '';
holder.stdout.setEncoding('utf8').on('data', (text) => { said += text; });
await until('a gateway with a host', () => /pid (\d+)\n/.test(said));
const orphan = Number(/pid (\d+)\n/.exec(said)[1]);
check('its host lives', lives(orphan));
holder.kill('SIGKILL');
await once(holder, 'exit');
await until('the gateway is killed, and its host ends too', () => !lives(orphan));
console.log('all well');
process.exit(0);
