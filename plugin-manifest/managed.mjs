// Managed mode: the gateway starts the host itself. The only file that starts a process; nothing else of the plugin loads it unless the
// setting mode is "managed". What it starts is one absolute path that the operator configured and that nobody else can change, without a
// shell, without a secret on the command line, and with a small environment. The host watches its standard input, whose other end is
// here: it stops by itself when the gateway ends, even by kill -9.
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';

const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 60_000;
/** A host that ran so long is not a host that can't start. */
const STABLE_MS = 60_000;
/** Failed starts in a row, after which the operator is needed. */
const MAX_FAILURES = 6;
/** From the request to stop to the kill; the host's own stop takes 25 s at most. */
const KILL_AFTER_MS = 30_000;
/** The gateway waits 5 s for a service that it reloads. What is still ending then ends behind its back, timer and all. */
const WAIT_FOR_STOP_MS = 4_000;
const MAX_LINE = 2_000;

/** Exit codes of the host after which the same start fails again (docs/operations.md). */
const NEEDS_OPERATOR = { 2: 'its command line is not understood; is it the right program?', 3: 'a setting of the host is wrong' };
/** Another host uses the data folder already: that one is used. */
const ALREADY_RUNNING = 4;

/** What the host inherits: how to find and speak, not what the gateway knows. */
const INHERITED = /^(PATH|HOME|USER|LOGNAME|USERPROFILE|SYSTEMROOT|TEMP|TMP|TMPDIR|TZ|LANG|LC_.*|XDG_.*|DOTNET_.*|SSL_CERT_.*|OTEL_.*|CHANNELBRIDGE__.*)$/i;

/** One host process, started again when it ends, until stop() or until it is given up. */
export class ManagedHost {
  #options;
  #child = null;
  #timer = null;
  #failures = 0;
  #others = 0;
  #startedAt = 0;
  #stopping = false;
  #lastWords = '';

  /** What the status shows: starting · running · another · waiting · failed · stopped; `error` says why. */
  state = { status: 'stopped', pid: null, restarts: 0, error: null };

  /**
   * options: command, dataDirectory, urls, logger, onRunning(), isNeeded() → false while another host serves;
   * for tests: delays { first, max, stable, killAfter, waitForStop }.
   */
  constructor(options) {
    this.#options = { onRunning() {}, isNeeded: () => true, ...options };
    this.delays = { first: FIRST_DELAY_MS, max: MAX_DELAY_MS, stable: STABLE_MS, killAfter: KILL_AFTER_MS, waitForStop: WAIT_FOR_STOP_MS, ...options.delays };
  }

  /** Why there is no host, or null while there is one. */
  get problem() {
    return this.state.error;
  }

  start() {
    this.#stopping = false;
    return this.#launch();
  }

  /** Asks the host to stop and waits a little; a host that doesn't is killed after its grace. */
  async stop() {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#set('stopped', null);
    if (!child) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin?.end();
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), this.delays.killAfter);
    gone.then(() => clearTimeout(kill));
    let waited;
    await Promise.race([gone, new Promise((resolve) => { waited = setTimeout(resolve, this.delays.waitForStop); })]);
    clearTimeout(waited);
  }

  async #launch() {
    if (this.#stopping) return;
    const { command, dataDirectory, urls } = this.#options;
    try {
      await checkCommand(command);
    } catch (error) {
      this.#giveUp(error.message);
      return;
    }
    if (this.#stopping) return;
    this.#set('starting', 'the host is starting');
    this.#startedAt = Date.now();
    this.#lastWords = '';
    let child;
    try {
      child = this.#spawn(command, dataDirectory, urls);
    } catch (error) {
      this.#giveUp(`${command} can't be started: ${error.message}`);
      return;
    }
    this.#child = child;
    this.state.pid = child.pid ?? null;
    child.once('error', (error) => this.#ended(child, `it can't be started: ${error.message}`));
    child.once('exit', (code, signal) => this.#ended(child, signal ? `it was ended by ${signal}` : `it ended with code ${code}`, code));
    child.stdin?.on('error', () => {}); // the host is gone; its exit says so
    if (child.stdout) readLines(child.stdout, (line) => this.#heard(line, 'info'));
    if (child.stderr) readLines(child.stderr, (line) => this.#heard(line, levelOf(line)));
  }

  #spawn(command, dataDirectory, urls) {
    return spawn(command, ['serve', '--managed', '--agent', 'openclaw', '--urls', urls, '--data', dataDirectory], {
      shell: false,
      detached: false,
      windowsHide: true,
      cwd: path.dirname(command),
      stdio: ['pipe', 'pipe', 'pipe'],
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => INHERITED.test(name))),
    });
  }

  #heard(line, level) {
    if (line === 'ready') {
      this.#others = 0;
      this.#set('running', null);
      this.#options.onRunning();
      return;
    }
    if (level !== 'info' || /^error/.test(line)) this.#lastWords = line;
    this.#options.logger[level](`host: ${line}`);
  }

  #ended(child, how, code) {
    if (this.#child !== child) return;
    this.#child = null;
    this.state.pid = null;
    if (this.#stopping) return;
    if (code === ALREADY_RUNNING) {
      // Not a failure: somebody has started one, or the one before is still stopping.
      this.#set('another', null);
      this.#again(this.#backOff(this.#others++));
      return;
    }
    const why = this.#lastWords ? `${how} (${this.#lastWords})` : how;
    if (Date.now() - this.#startedAt >= this.delays.stable) this.#failures = 0;
    this.#failures++;
    if (NEEDS_OPERATOR[code] || this.#failures >= MAX_FAILURES) {
      this.#giveUp(NEEDS_OPERATOR[code] ? `${NEEDS_OPERATOR[code]} (${why})` : `${MAX_FAILURES} starts in a row failed; the last time ${why}`);
      return;
    }
    const delay = this.#backOff(this.#failures - 1);
    this.#set('waiting', `the host isn't running: ${why}; next start in ${Math.ceil(delay / 1000)} s`);
    this.#options.logger.warn(this.state.error);
    this.state.restarts++;
    this.#again(delay);
  }

  #backOff(attempt) {
    const ceiling = Math.min(this.delays.max, this.delays.first * 2 ** Math.min(attempt, 16));
    return ceiling / 2 + Math.random() * (ceiling / 2);
  }

  #again(delay) {
    // While another host answers there is nothing to start.
    this.#timer = setTimeout(() => (this.state.status === 'another' && !this.#options.isNeeded() ? this.#again(delay) : this.#launch()), delay);
  }

  #giveUp(why) {
    this.#set('failed', `the host is stopped and won't be started again: ${why}. Correct that and restart the gateway`);
    this.#options.logger.error(this.state.error);
  }

  #set(status, error) {
    this.state.status = status;
    this.state.error = error;
  }
}

/**
 * Refuses what could be another user's program: it must be an absolute path to a file that only we, our group of one, or root can change. In a sticky folder such
 * as /tmp others can make entries of their own, but can't rename or remove ours; the owner of each part of the path is checked, so that is enough.
 */
async function checkCommand(command) {
  if (!path.isAbsolute(command)) throw new Error(`${command} is not an absolute path`);
  let file;
  try {
    file = await fs.realpath(command);
    if (!(await fs.stat(file)).isFile()) throw new Error('it is not a file');
    await fs.access(file, constants.X_OK);
  } catch (error) {
    const reason = { ENOENT: 'there is no such file', EACCES: 'it may not be executed' }[error.code] ?? error.message;
    throw new Error(`${command} can't be used: ${reason}`, { cause: error });
  }
  if (process.platform === 'win32') return; // the installation folder's access list is the operator's
  for (let part = file; ; part = path.dirname(part)) {
    const { uid, gid, mode } = await fs.stat(part);
    const sticky = (mode & 0o1000) !== 0 && part !== file;
    if (uid !== process.getuid() && uid !== 0) throw new Error(`${part} belongs to another user (${uid}): that user could replace the host`);
    if ((mode & 0o002) !== 0 && !sticky) throw new Error(`${part} can be written by everybody: chmod o-w ${part}`);
    if ((mode & 0o020) !== 0 && !sticky && gid !== process.getgid() && gid !== 0) throw new Error(`${part} can be written by a group (${gid}): chmod g-w ${part}`);
    if (part === path.dirname(part)) return;
  }
}

function readLines(stream, tell) {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop().slice(0, MAX_LINE);
    for (const line of lines) if (line.trim()) tell(line.trimEnd().slice(0, MAX_LINE));
  });
  stream.on('error', () => {});
}

/** The host's log lines say "TIME warn: …", "TIME fail: …" and so on. */
function levelOf(line) {
  const [, word] = /^\S+ (trce|dbug|info|warn|fail|crit): /.exec(line) ?? [];
  return { trce: 'debug', dbug: 'debug', info: 'info', warn: 'warn', fail: 'error', crit: 'error' }[word] ?? 'warn';
}
