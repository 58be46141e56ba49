// A ChannelBridge plugin's end of the pipe, in nothing but Node itself. Protocol 1, see docs/plugin-protocol.md.
//
//   const plugin = new Plugin('my-chat', '1.0.0', { channels: ['mychat'] });
//   plugin.on('push', ({ id, message }) => ({ outcome: 'flushed', ack: ackOf(id, message) }));
//   plugin.run();
//
// A handler gets the call's parameters in one object and may be async. Calls of the host: await plugin.call('accept', { message, key, windowMs }).
'use strict';

const MAX_HEADER = 1024;
const MAX_MESSAGE = 1024 * 1024;
const MAX_FRAME = 64 * 1024;
const FRAME_COST = 64;
const WINDOW = 256 * 1024;

/** An error that the host answered, or that a handler answers to the host. */
class HostError extends Error {
  constructor(code, message, { retryable = false, retryAfterMs } = {}) {
    super(message);
    Object.assign(this, { code, retryable, retryAfterMs });
  }
}

/** The ack of a push, for its answer. */
const ackOf = (id, message, more = {}) => ({ id, channel: message.channel, accountId: message.accountId, ok: true, ...more });

/** A stream to the host, of bytes or of items. Its number goes into the answer or the call that it belongs to. */
class OutStream {
  constructor(plugin, number) {
    Object.assign(this, { plugin, number, closed: false, seq: 0, credit: WINDOW, ended: false, waiting: [], line: Promise.resolve() });
  }

  /** Sends bytes; resolves when they are on their way. Rejects when the host wants no more. */
  write(data) {
    return this.#queue(Buffer.from(data), false);
  }

  /** Sends one item, which the host gets whole. */
  writeItem(data) {
    return this.#queue(Buffer.from(data), true);
  }

  /** Says that all is sent, or with an error code that no more comes though it isn't whole. */
  end(error) {
    this.line = this.line.then(() => {
      if (this.ended || this.closed) return;
      this.ended = true;
      this.#frame(error ? { end: true, error } : { end: true }, Buffer.alloc(0));
    });
    return this.line;
  }

  heard({ credit = 0, closed = false }) {
    this.credit = Math.min(this.credit + credit, WINDOW);
    this.closed ||= closed;
    for (const wake of this.waiting.splice(0)) wake();
  }

  // One after the other, in the order of the calls.
  #queue(data, isItem) {
    const sent = this.line.then(() => this.#send(data, isItem));
    this.line = sent.catch(() => {});
    return sent;
  }

  async #send(data, isItem) {
    do {
      while (!this.closed && this.credit < FRAME_COST + Math.min(data.length, MAX_FRAME / 4)) await new Promise((wake) => this.waiting.push(wake));
      if (this.closed) throw new HostError('CANCELLED', 'the host wants no more of this stream');
      const part = data.subarray(0, Math.min(MAX_FRAME, this.credit - FRAME_COST));
      data = data.subarray(part.length);
      this.#frame(isItem && data.length > 0 ? { more: true } : {}, part);
    } while (data.length > 0);
  }

  #frame(header, data) {
    this.seq += 1;
    this.credit -= FRAME_COST + data.length;
    this.plugin.sendFrame({ stream: this.number, seq: this.seq, ...header }, data);
  }
}

/** A stream from the host: `for await (const bytes of stream)`, or `of stream.items()`. */
class InStream {
  constructor(plugin, number) {
    Object.assign(this, { plugin, number, frames: [], wake: null, owed: 0, over: false });
  }

  async *[Symbol.asyncIterator]() {
    for (let frame; (frame = await this.#next()); ) if (frame.data.length > 0) yield frame.data;
  }

  async *items() {
    let parts = [];
    for (let frame; (frame = await this.#next()); ) {
      parts.push(frame.data);
      if (frame.header.more) continue;
      const item = Buffer.concat(parts);
      parts = [];
      if (!frame.header.end || item.length > 0) yield item;
    }
  }

  async read() {
    const parts = [];
    for await (const part of this) parts.push(part);
    return Buffer.concat(parts);
  }

  /** Says that you want no more. */
  close() {
    if (this.over) return;
    this.over = true;
    this.plugin.forget(this);
    this.wake?.();
  }

  take(header, data) {
    this.frames.push({ header, data });
    this.wake?.();
  }

  async #next() {
    while (!this.over && this.frames.length === 0) await new Promise((wake) => (this.wake = wake));
    if (this.over) return null;
    const frame = this.frames.shift();
    if (frame.header.end) {
      this.close();
      if (frame.header.error) throw new HostError(frame.header.error, 'the host gave the stream up');
      return frame.data.length > 0 ? frame : null;
    }
    this.owed += FRAME_COST + frame.data.length;
    if (this.owed >= WINDOW / 2) {
      this.plugin.sendFrame({ stream: this.number, credit: this.owed });
      this.owed = 0;
    }
    return frame;
  }
}

class Plugin {
  #calls = new Map();
  #outs = new Map();
  #ins = new Map();
  #last = 0;
  #lastOut = 0;
  #lastIn = 0;
  #handlers;

  constructor(id, version, { channels, methods = [], tools = [], endpoints = [] }) {
    this.dataFolder = null;
    this.stopping = new AbortController();
    // Whatever prints must not disturb the protocol.
    console.log = console.info = console.error;
    this.#handlers = {
      initialize: ({ hello }) => {
        this.dataFolder = hello.dataFolder;
        return { protocol: 1, plugin: id, version, channels, methods, tools, endpoints };
      },
      start: () => ({ accounts: {} }),
      stop: () => this.stopping.abort(),
      health: () => ({ ok: true }),
      turnEvents: () => null,
      formatTarget: ({ sessionKey }) => sessionKey,
    };
  }

  /** Registers a handler of a method that the host calls. */
  on(name, handler) {
    this.#handlers[name] = handler;
  }

  /** Calls the host. */
  call(method, params) {
    return new Promise((resolve, reject) => {
      const id = ++this.#last;
      this.#calls.set(id, { resolve, reject });
      this.#send({ jsonrpc: '2.0', id, method, params });
    });
  }

  /** Gives the host a message. Resolves when it is on disk. The same key again is the same message, so it is repeated after an error that may pass. */
  async accept(message, key, windowMs = 30 * 24 * 3600 * 1000) {
    for (;;) {
      try {
        return await this.call('accept', { message, key, windowMs });
      } catch (error) {
        if (!error.retryable || this.stopping.signal.aborted) throw error;
        await new Promise((wake) => setTimeout(wake, error.retryAfterMs ?? 1000));
      }
    }
  }

  /** A stream to the host. */
  openStream() {
    const stream = new OutStream(this, ++this.#lastOut);
    this.#outs.set(stream.number, stream);
    return stream;
  }

  /** The stream that the host named in a call. */
  stream(number) {
    // The first frame of a stream may come before the call that names it.
    while (this.#lastIn < number) this.#ins.set(++this.#lastIn, new InStream(this, this.#lastIn));
    return this.#ins.get(number);
  }

  /** The body of an HTTP request, from the parameters of `http`. */
  bodyOf({ text, body }) {
    if (text !== undefined) return Promise.resolve(Buffer.from(text));
    return body === undefined ? Promise.resolve(Buffer.alloc(0)) : this.stream(body).read();
  }

  /** Serves the host until it says stop, or is gone. */
  run() {
    let rest = Buffer.alloc(0);
    process.stdin.on('data', (data) => {
      rest = rest.length > 0 ? Buffer.concat([rest, data]) : data;
      rest = this.#take(rest);
    });
    process.stdin.on('end', () => this.#end());
    process.stdout.on('error', () => this.#end());
  }

  forget(stream) {
    this.#ins.delete(stream.number);
    this.sendFrame({ stream: stream.number, closed: true });
  }

  sendFrame(header, data = Buffer.alloc(0)) {
    const head = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(head.length);
    this.#write('Content-Type: application/octet-stream\r\n', Buffer.concat([length, head, data]));
  }

  #take(buffer) {
    for (;;) {
      const end = buffer.indexOf('\r\n\r\n');
      if (end < 0 ? buffer.length > MAX_HEADER : end > MAX_HEADER) return this.#end();
      if (end < 0) return buffer;
      const header = buffer.subarray(0, end).toString('latin1');
      const length = Number(/^content-length: *(\d+)$/im.exec(header)?.[1] ?? NaN);
      if (!(length <= MAX_MESSAGE)) return this.#end();
      if (buffer.length < end + 4 + length) return buffer;
      const body = buffer.subarray(end + 4, end + 4 + length);
      buffer = buffer.subarray(end + 4 + length);
      if (/^content-type: *application\/octet-stream$/im.test(header)) this.#takeFrame(body);
      else this.#takeMessage(JSON.parse(body.toString()));
    }
  }

  #takeFrame(body) {
    const length = body.readUInt32BE(0);
    const header = JSON.parse(body.subarray(4, 4 + length).toString());
    if (header.seq === undefined) {
      this.#outs.get(header.stream)?.heard(header);
      if (header.closed) this.#outs.delete(header.stream);
    } else {
      // A copy: the buffer that it came in is the next messages', too.
      this.stream(header.stream)?.take(header, Buffer.from(body.subarray(4 + length)));
    }
  }

  #takeMessage(message) {
    if (message.method !== undefined) {
      if (message.id !== undefined) this.#serve(message);
      return;
    }
    const waiting = this.#calls.get(message.id);
    this.#calls.delete(message.id);
    if (!waiting) return;
    const { error } = message;
    if (error) waiting.reject(new HostError(error.data?.code ?? 'INTERNAL', error.message ?? '', error.data ?? {}));
    else waiting.resolve(message.result);
  }

  async #serve({ id, method, params = {} }) {
    const answer = { jsonrpc: '2.0', id };
    try {
      const handler = this.#handlers[method];
      if (handler) answer.result = (await handler(params)) ?? null;
      else answer.error = { code: -32601, message: 'there is no such method' };
    } catch (error) {
      if (!(error instanceof HostError)) console.error(`${method}:`, error);
      answer.error =
        error instanceof HostError
          ? { code: -32000, message: error.message, data: { code: error.code, retryable: error.retryable, retryAfterMs: error.retryAfterMs } }
          : { code: -32000, message: 'the plugin has a fault; its log has it', data: { code: 'INTERNAL' } };
    }
    this.#send(answer);
  }

  #send(message) {
    this.#write('', Buffer.from(JSON.stringify(message)));
  }

  #write(header, body) {
    process.stdout.write(Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n${header}\r\n`), body]));
  }

  #end() {
    this.stopping.abort();
    for (const { reject } of this.#calls.values()) reject(new HostError('UNAVAILABLE', 'the host is gone', { retryable: true }));
    process.exit(0);
  }
}

module.exports = { Plugin, HostError, ackOf };
