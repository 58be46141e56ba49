// The link to the host: one connection, opened when the gateway's service starts, opened again with back-off and jitter whenever it
// breaks, and greeted with link.hello each time. The service owns it, not an account: accounts aren't started in every gateway
// start (see docs/link.md), services are.
import { LinkError, RpcPeer } from './rpc.mjs';
import { openWire } from './wire.mjs';

/** The link's protocol, see docs/link.md. */
export const PROTOCOL = 1;

/** What either side says in link.hello when it takes binary messages. */
const BINARY = 'binary';
const CONNECT_TIMEOUT_MS = 10_000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
const STABLE_MS = 5_000;
/** A host that leaves so many calls in a row without an answer is taken for gone: over a network nothing else may tell. */
const MAX_SILENT_CALLS = 6;
/** How long to stay away after another gateway has taken the link over, so that the two don't take it from each other in turn. */
const REPLACED_DELAY_MS = 60_000;

export class HostLink {
  #options;
  #peer = null;
  #silent = 0;
  #timer = null;
  #attempt = 0;
  #stopped = true;
  #replaced = false;

  /** What the status shows. */
  state = { connected: false, lastConnectedAt: null, lastError: null, lastDisconnectAt: null, reconnectAttempts: 0, hostVersion: null, hostId: null, package: null, features: [] };

  /**
   * options: endpoint (of settings.mjs), hello() → params of link.hello (may be async), handlers, onUp(), onDown(reason), logger,
   * why() → a better reason than "no connection" where there is one, random.
   */
  constructor(options) {
    this.#options = { random: Math.random, why: () => null, ...options };
  }

  get connected() {
    return this.state.connected;
  }

  /** The host takes bytes beside the params of a request. */
  get binary() {
    return this.state.features.includes(BINARY);
  }

  start() {
    this.#stopped = false;
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#peer?.close(new Error('the gateway stops'));
  }

  /** Tries at once instead of after the pause: something has changed that makes it worth while. */
  hurry() {
    if (this.#stopped || this.#peer || !this.#timer) return;
    clearTimeout(this.#timer);
    this.#attempt = 0;
    this.#connect();
  }

  /** Sends a request to the host; rejects with a retryable UNAVAILABLE while it is away. */
  async request(method, params, options) {
    if (!this.connected) throw LinkError.away(this.#awayText());
    const peer = this.#peer;
    try {
      const answer = await peer.request(method, params, options);
      this.#silent = 0;
      return answer;
    } catch (error) {
      if (error.code !== 'TIMEOUT') this.#silent = 0;
      else if (++this.#silent >= MAX_SILENT_CALLS) peer.close(new Error(`the host has left ${MAX_SILENT_CALLS} calls without an answer`));
      throw error;
    }
  }

  /** Sends a notification; does nothing while the host is away. */
  notify(method, params) {
    this.#peer?.notify(method, params);
  }

  #awayText() {
    const why = this.state.lastError ? ` (${this.state.lastError})` : '';
    return `The ChannelBridge host at ${this.#options.endpoint.text} is not connected${why}; try again shortly.`;
  }

  async #connect() {
    this.#timer = null;
    if (this.#stopped) return;
    let wire;
    try {
      wire = await openWire(this.#options.endpoint, CONNECT_TIMEOUT_MS);
    } catch (error) {
      this.#retry(explain(error));
      return;
    }
    if (this.#stopped) wire.close();
    else await this.#greet(wire);
  }

  async #greet(wire) {
    let reason = null;
    const peer = new RpcPeer(wire, {
      handlers: {
        ...this.#options.handlers,
        'link.replaced': () => {
          reason = 'another gateway has taken the link over; one host serves one gateway at a time';
          this.#replaced = true;
          peer.close(new Error(reason));
        },
        // Answered before the hello goes: it is a request of its own.
        'link.changed': () => void setImmediate(() => this.#sayAgain(peer)),
      },
      onClose: (error) => this.#down(peer, reason ?? explain(error)),
    });
    this.#peer = peer;
    try {
      const hello = await this.#options.hello();
      // Whoever can open the socket is the host's own user; a WebSocket takes little before it knows who speaks.
      if (this.#options.endpoint.kind === 'ws') await peer.request('auth.authenticate', { token: hello.token }, { timeoutMs: CONNECT_TIMEOUT_MS });
      const answer = await this.#hello(peer, hello);
      if (peer.closed) return;
      if (answer.protocol !== PROTOCOL) {
        throw new Error(`it speaks link protocol ${answer.protocol}, this plugin ${PROTOCOL}: update the ${answer.protocol > PROTOCOL ? 'plugin' : 'host'}`);
      }
      this.#silent = 0;
      this.#note(answer);
      Object.assign(this.state, { connected: true, lastConnectedAt: Date.now(), lastError: null, reconnectAttempts: 0 });
      this.#options.logger.info(`connected to the ChannelBridge host ${answer.hostVersion ?? ''} at ${this.#options.endpoint.text}`);
      this.#options.onUp?.();
    } catch (error) {
      reason = `the host refused the link: ${error.message}`;
      peer.close(error);
    }
  }

  #hello(peer, hello) {
    return peer.request('link.hello', { protocol: PROTOCOL, features: [BINARY], ...hello }, { timeoutMs: CONNECT_TIMEOUT_MS });
  }

  /** What the host said of itself: its version, what it can, and whether this package belongs to it. */
  #note({ hostVersion = null, hostId = null, features = [], package: packaged = null }) {
    if (packaged === 'other' && this.state.package !== 'other') {
      this.#options.logger.warn(`this plugin package is not the one of the ChannelBridge host ${hostVersion ?? ''}; install the host's`);
    }
    Object.assign(this.state, { hostVersion, hostId, features, package: packaged });
  }

  /** The host's channels, methods or tools have changed: hello again, on the same connection. */
  async #sayAgain(peer) {
    try {
      const answer = await this.#hello(peer, await this.#options.hello());
      if (!peer.closed) this.#note(answer);
    } catch (error) {
      if (!peer.closed) peer.close(error);
    }
  }

  #down(peer, reason) {
    if (this.#peer === peer) this.#peer = null;
    const wasUp = this.state.connected;
    if (wasUp && Date.now() - this.state.lastConnectedAt >= STABLE_MS) this.#attempt = 0;
    this.state.connected = false;
    this.state.lastDisconnectAt = Date.now();
    if (wasUp) this.#options.onDown?.(reason);
    this.#retry(reason);
  }

  #retry(seen) {
    if (this.#stopped) return;
    // Who starts the host knows better why there is none, and whether trying again is of use.
    const known = this.#options.why();
    const reason = known ?? seen;
    if (reason !== this.state.lastError) this.#options.logger.warn(`ChannelBridge host not connected: ${reason}${known ? '' : '; trying again'}`);
    this.state.lastError = reason;
    this.state.reconnectAttempts++;
    const ceiling = this.#replaced ? REPLACED_DELAY_MS : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(this.#attempt++, 10));
    this.#replaced = false;
    // Half fixed, half random: many gateways that lost the same host don't come back in step.
    this.#timer = setTimeout(() => this.#connect(), ceiling / 2 + this.#options.random() * (ceiling / 2));
  }
}

/** Turns the errors of a socket into words that say what to do. */
function explain(error) {
  switch (error?.code) {
    case 'ENOENT': return 'no such socket: is the host running, and is the endpoint right?';
    case 'ECONNREFUSED': return 'nobody listens on the socket: is the host running?';
    case 'EACCES': return 'no permission to open the socket: the gateway must run as the user of the host';
    default: return error?.message ?? 'unknown error';
  }
}
