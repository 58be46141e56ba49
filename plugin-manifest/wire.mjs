// The two ways to a host, made alike: a socket or pipe with Content-Length frames, and a WebSocket. A wire carries whole JSON messages
// in order, each with bytes of its own where it has some (then it is a binary message), tells how many bytes the host hasn't taken yet, and
// says once that it is closed.
import net from 'node:net';
import { decodeBinary, encodeFrame, encodeHead, FrameReader } from './framing.mjs';

/** Opens a wire to an endpoint of settings.mjs. Rejects with the reason when that takes longer than timeoutMs or fails. */
export const openWire = (endpoint, timeoutMs) => (endpoint.kind === 'ws' ? openWebSocket(endpoint.url, timeoutMs) : openSocket(endpoint.path, timeoutMs));

function openSocket(path, timeoutMs) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path });
    const failed = (error) => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(timeoutMs, () => failed(tooSlow(timeoutMs)));
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', failed);
      resolve(new SocketWire(socket));
    });
  });
}

class SocketWire {
  #socket;
  /** Called with each message, parsed, and its bytes or undefined. */
  onMessage = () => {};
  /** Called once, with the reason. */
  onClose = () => {};

  constructor(socket) {
    this.#socket = socket;
    const reader = new FrameReader();
    socket.on('data', (chunk) => {
      let messages;
      try {
        messages = reader.push(chunk);
      } catch (error) {
        this.#end(new Error(`the host sent a frame that can't be read: ${error.message}`));
        return;
      }
      for (const [message, content] of messages) this.onMessage(message, content);
    });
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('the connection was closed')));
  }

  /** A message made ready: what to give to send, and its size in bytes. The content must stay as it is until it is written. */
  encode(message, content) {
    const data = encodeFrame(message, content);
    return { data, size: data.reduce((sum, part) => sum + part.length, 0) };
  }

  send({ data }) {
    if (data.length === 1) {
      this.#socket.write(data[0]);
      return;
    }
    this.#socket.cork();
    for (const part of data) this.#socket.write(part);
    this.#socket.uncork();
  }

  /** Bytes that the host hasn't taken yet. */
  get unwritten() {
    return this.#socket.writableLength;
  }

  close() {
    this.#socket.destroy();
  }

  #end(reason) {
    this.#socket.destroy();
    this.onClose(reason);
  }
}

function openWebSocket(url, timeoutMs) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, 'jsonrpc');
    const timer = setTimeout(() => failed(tooSlow(timeoutMs)), timeoutMs);
    const failed = (error) => {
      clearTimeout(timer);
      socket.onopen = socket.onerror = socket.onclose = null;
      socket.close();
      reject(error);
    };
    socket.onerror = (event) => failed(event.error?.cause ?? new Error('no WebSocket there: is the host running, is the address right, and may this machine reach it?'));
    socket.onclose = socket.onerror;
    socket.onopen = () => {
      clearTimeout(timer);
      resolve(new WebSocketWire(socket));
    };
  });
}

class WebSocketWire {
  #socket;
  #ended = false;
  onMessage = () => {};
  onClose = () => {};

  constructor(socket) {
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => {
      let message;
      let content;
      try {
        if (typeof data === 'string') message = JSON.parse(data);
        else [message, content] = decodeBinary(Buffer.from(data));
      } catch {
        this.#end(new Error('the host sent a message that is no JSON'));
        return;
      }
      this.onMessage(message, content);
    };
    socket.onerror = (event) => this.#end(event.error ?? new Error('the WebSocket broke'));
    socket.onclose = ({ code, reason }) => this.#end(new Error(reason ? `the host closed the connection: ${reason} (${code})` : 'the connection was closed'));
  }

  encode(message, content) {
    const data = content ? Buffer.concat([encodeHead(message), content]) : JSON.stringify(message);
    return { data, size: Buffer.byteLength(data) };
  }

  send({ data }) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(data);
  }

  get unwritten() {
    return this.#socket.bufferedAmount;
  }

  close() {
    this.#socket.close();
  }

  #end(reason) {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.close();
    this.onClose(reason);
  }
}

const tooSlow = (timeoutMs) => new Error(`connecting took longer than ${timeoutMs / 1000} s`);
