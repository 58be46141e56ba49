// The link to the host: one connection, opened when the gateway's service starts, opened again with back-off and jitter whenever it
// breaks, and greeted with link.hello each time. The service owns it, not an account: accounts aren't started in every gateway
// start (see docs/link.md), services are.
import net from 'node:net';
import { LinkError, RpcPeer } from './rpc.mjs';

const CONNECT_TIMEOUT_MS = 10_000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
const STABLE_MS = 5_000;
/** How long to stay away after another gateway has taken the link over, so that the two don't take it from each other in turn. */
const REPLACED_DELAY_MS = 60_000;

export class HostLink {
  #options;
  #peer = null;
  #socket = null;
  #timer = null;
  #attempt = 0;
  #stopped = true;
  #replaced = false;

  /** What the status shows. */
  state = { connected: false, lastConnectedAt: null, lastError: null, lastDisconnectAt: null, reconnectAttempts: 0, hostVersion: null, hostId: null };

  /**
   * options: path (socket or pipe), hello() → params of link.hello (may be async), handlers, onUp(peer), onDown(reason), logger, random.
   */
  constructor(options) {
    this.#options = { random: Math.random, ...options };
  }

  get connected() {
    return this.state.connected;
  }

  start() {
    this.#stopped = false;
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
    this.#peer?.close(new Error('the gateway stops'));
  }

  /** Sends a request to the host; rejects with a retryable UNAVAILABLE while it is away. */
  request(method, params, options) {
    return this.connected ? this.#peer.request(method, params, options) : Promise.reject(LinkError.away(this.#awayText()));
  }

  /** Sends a notification; does nothing while the host is away. */
  notify(method, params) {
    this.#peer?.notify(method, params);
  }

  #awayText() {
    const why = this.state.lastError ? ` (${this.state.lastError})` : '';
    return `The ChannelBridge host at ${this.#options.path} is not connected${why}; try again shortly.`;
  }

  #connect() {
    if (this.#stopped) return;
    const socket = net.connect({ path: this.#options.path });
    this.#socket = socket;
    let opened = false;
    const failed = (error) => {
      if (opened) return;
      opened = true;
      socket.destroy();
      this.#retry(explain(error));
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => failed(new Error('connecting took longer than 10 s')));
    socket.once('error', failed);
    socket.once('connect', () => {
      if (opened) return;
      opened = true;
      socket.setTimeout(0);
      socket.off('error', failed);
      this.#greet(socket);
    });
  }

  async #greet(socket) {
    let reason = 'the connection was closed';
    const peer = new RpcPeer(socket, {
      handlers: {
        ...this.#options.handlers,
        'link.replaced': () => {
          reason = 'another gateway has taken the link over; one host serves one gateway at a time';
          this.#replaced = true;
          peer.close(new Error(reason));
        },
      },
      onClose: (error) => this.#down(peer, reason !== 'the connection was closed' ? reason : explain(error)),
    });
    this.#peer = peer;
    try {
      const answer = await peer.request('link.hello', await this.#options.hello(), { timeoutMs: CONNECT_TIMEOUT_MS });
      if (peer.closed) return;
      const now = Date.now();
      Object.assign(this.state, {
        connected: true, lastConnectedAt: now, lastError: null, reconnectAttempts: 0, hostVersion: answer.hostVersion ?? null, hostId: answer.hostId ?? null,
      });
      this.#options.logger.info(`connected to the ChannelBridge host ${answer.hostVersion ?? ''} at ${this.#options.path}`);
      this.#options.onUp?.();
    } catch (error) {
      reason = `the host refused the link: ${error.message}`;
      peer.close(error);
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

  #retry(reason) {
    if (this.#stopped) return;
    if (reason !== this.state.lastError) this.#options.logger.warn(`ChannelBridge host not connected: ${reason}; trying again`);
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
