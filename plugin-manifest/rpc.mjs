// JSON-RPC 2.0 over one open wire, both ways: requests with time-outs, notifications, and handlers for what the other side
// asks. Everything is bounded: open requests, bytes waiting to be written. Requests of the other side are started in the order of
// their arrival; a handler that works synchronously therefore keeps that order.
// Below what the host takes from one peer (4,096 requests, 64 MiB): a host at its bound would drop notifications, too.
const MAX_PENDING = 2048;
const MAX_PENDING_BYTES = 48 * 1024 * 1024;
const MAX_UNWRITTEN = 64 * 1024 * 1024;

/** An error that crosses the link: code, message, and whether and when to try again. */
export class LinkError extends Error {
  constructor(code, message, { retryable = false, retryAfterMs, details, payloadError } = {}) {
    super(message);
    this.name = 'LinkError';
    this.code = code;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
    this.details = details;
    this.payloadError = payloadError;
  }

  /** The host is away: nothing was done, try again. */
  static away(message = 'The ChannelBridge host is not connected; try again shortly.') {
    return new LinkError('UNAVAILABLE', message, { retryable: true, retryAfterMs: 1000 });
  }
}

/** One peer on an open wire (wire.mjs). `handlers` maps method names to functions of params and bytes; `onClose` is called once. */
export class RpcPeer {
  #wire;
  #handlers;
  #pending = new Map();
  #pendingBytes = 0;
  #nextId = 1;
  #closed = false;
  #onClose;
  // What the host sent behind an answer in the same read: it waits until the answer has reached whoever asked.
  #behindAnswer = null;

  constructor(wire, { handlers, onClose }) {
    this.#wire = wire;
    this.#handlers = handlers;
    this.#onClose = onClose;
    wire.onMessage = (message, content) => this.#receive(message, content);
    wire.onClose = (reason) => this.close(reason);
  }

  get closed() {
    return this.#closed;
  }

  /**
   * Sends a request, with bytes beside its params where `content` is given; rejects with a LinkError. `sent` on the error tells whether the
   * request may have reached the host.
   */
  request(method, params, { timeoutMs = 30_000, signal, content } = {}) {
    if (this.#closed) return Promise.reject(LinkError.away());
    const id = this.#nextId++;
    const frame = this.#wire.encode({ jsonrpc: '2.0', id, method, params }, content);
    // One message may be larger than half of the bound; it goes when nothing else is under way.
    const full = this.#pending.size >= MAX_PENDING || (this.#pendingBytes > 0 && this.#pendingBytes + frame.size > MAX_PENDING_BYTES);
    if (full || this.#wire.unwritten > MAX_UNWRITTEN) {
      return Promise.reject(new LinkError('BUSY', 'Too many requests wait for the ChannelBridge host; try again.', { retryable: true, retryAfterMs: 500 }));
    }
    return new Promise((resolve, reject) => {
      const settle = (action) => {
        this.#pending.delete(id);
        this.#pendingBytes -= frame.size;
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        action();
      };
      const giveUp = (code, text) => settle(() => {
        this.notify('$/cancelRequest', { id });
        const error = new LinkError(code, text, { retryable: true });
        error.sent = true;
        reject(error);
      });
      const onAbort = () => giveUp('CANCELLED', `${method} was cancelled`);
      const timer = setTimeout(() => giveUp('TIMEOUT', `the ChannelBridge host didn't answer ${method} within ${timeoutMs} ms`), timeoutMs);
      this.#pending.set(id, { settle, resolve, reject });
      this.#pendingBytes += frame.size;
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#send(frame);
      if (signal?.aborted) onAbort();
    });
  }

  /** Sends a notification; does nothing when the connection is gone. */
  notify(method, params) {
    if (!this.#closed) this.#write({ jsonrpc: '2.0', method, params });
  }

  /** Ends the connection; open requests fail as unavailable. */
  close(reason) {
    if (this.#closed) return;
    this.#closed = true;
    this.#wire.close();
    for (const { settle, reject } of [...this.#pending.values()]) {
      const error = LinkError.away();
      error.sent = true;
      settle(() => reject(error));
    }
    this.#onClose?.(reason);
  }

  #write(message) {
    this.#send(this.#wire.encode(message));
  }

  #send(frame) {
    this.#wire.send(frame);
    if (this.#wire.unwritten > 2 * MAX_UNWRITTEN) this.close(new Error('the host has stopped reading'));
  }

  #receive(message, content) {
    if (this.#closed || message === null || typeof message !== 'object') return;
    if (typeof message.method === 'string') {
      if (this.#behindAnswer) this.#behindAnswer.push([message, content]);
      else this.#serve(message, content);
      return;
    }
    const open = this.#pending.get(message.id);
    if (!open) return; // given up before
    if (!this.#behindAnswer) {
      this.#behindAnswer = [];
      setImmediate(() => this.#serveBehindAnswer());
    }
    if (message.error) {
      const { message: text, data = {}, code } = message.error;
      open.settle(() => open.reject(new LinkError(data?.code ?? rpcCode(code), text ?? 'the host failed', { ...data, payloadError: data?.legacyText })));
    } else {
      open.settle(() => open.resolve(message.result));
    }
  }

  #serveBehindAnswer() {
    const waiting = this.#behindAnswer;
    this.#behindAnswer = null;
    for (const [message, content] of waiting) {
      if (!this.#closed) this.#serve(message, content);
    }
  }

  async #serve({ id, method, params }, content) {
    const handler = this.#handlers[method];
    try {
      if (!handler) throw Object.assign(new Error(`method not found: ${method}`), { rpcCode: -32601 });
      const result = await handler(params ?? {}, content);
      if (id !== undefined && !this.#closed) this.#write({ jsonrpc: '2.0', id, result: result ?? {} });
    } catch (error) {
      if (id === undefined || this.#closed) return;
      const data = { code: error.code ?? 'INTERNAL', retryable: error.retryable === true, retryAfterMs: error.retryAfterMs, details: error.details };
      this.#write({ jsonrpc: '2.0', id, error: { code: error.rpcCode ?? -32000, message: error.message, data } });
    }
  }
}

/** Protocol faults of JSON-RPC have no data: their numbers as codes. */
function rpcCode(code) {
  return code === -32601 || code === -32602 || code === -32600 ? 'INVALID_REQUEST' : 'INTERNAL';
}
