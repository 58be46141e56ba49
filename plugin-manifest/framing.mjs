// Messages on a byte stream, framed as LSP does it: "Content-Length: N", a blank line, N bytes of UTF-8 JSON. With the content type
// application/octet-stream the body is a binary message: u32 header length (big endian), the JSON message as header, and bytes that
// belong to it. The reader is bounded (header 8 KiB, body MAX_BODY) and copies each body once. A broken frame can't be skipped, so it
// throws
// and the link is closed.

/** Largest body in bytes: an inline attachment of 30 MiB in base64, and room to spare. */
export const MAX_BODY = 64 * 1024 * 1024;
const MAX_HEADER = 8 * 1024;
const HEADER_END = Buffer.from('\r\n\r\n');

const BINARY_TYPE = 'application/octet-stream';

/** One message as buffers ready to be written one after the other; `content` is not copied. */
export function encodeFrame(message, content) {
  if (content) {
    const head = encodeHead(message);
    return [Buffer.from(`Content-Length: ${head.length + content.length}\r\nContent-Type: ${BINARY_TYPE}\r\n\r\n`, 'latin1'), head, content];
  }
  const body = Buffer.from(JSON.stringify(message), 'utf8');
  return [Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`, 'latin1'), body])];
}

/** What stands before the bytes of a binary message. */
export function encodeHead(message) {
  const json = JSON.stringify(message);
  const head = Buffer.allocUnsafe(4 + Buffer.byteLength(json));
  head.writeUInt32BE(head.length - 4);
  head.write(json, 4, 'utf8');
  return head;
}

/** Takes a binary message apart: [message, content]. Throws when it is none. */
export function decodeBinary(body) {
  const end = 4 + (body.length < 4 ? NaN : body.readUInt32BE());
  if (!(end <= body.length)) throw new Error('a binary message is shorter than its header says');
  return [JSON.parse(body.toString('utf8', 4, end)), body.subarray(end)];
}

/** Cuts a byte stream into messages. */
export class FrameReader {
  #chunks = [];
  #size = 0;
  #bodyLength = -1;
  #binary = false;

  /**
   * Adds bytes and returns the messages that are complete now, each as [message, content]; content is undefined for most. Throws on a frame
   * that can't be read.
   */
  push(chunk) {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const messages = [];
    for (;;) {
      if (this.#bodyLength < 0) {
        const all = this.#join();
        const end = all.indexOf(HEADER_END);
        if (end < 0) {
          if (this.#size > MAX_HEADER) throw new Error('frame header is longer than 8 KiB');
          return messages;
        }
        [this.#bodyLength, this.#binary] = readHeader(all.toString('latin1', 0, end));
        this.#take(end + HEADER_END.length);
      }
      if (this.#size < this.#bodyLength) return messages;
      const body = this.#take(this.#bodyLength);
      messages.push(this.#binary ? decodeBinary(body) : [JSON.parse(body.toString('utf8'))]);
      this.#bodyLength = -1;
    }
  }

  #join() {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0];
  }

  #take(count) {
    const all = this.#join();
    this.#chunks = count < all.length ? [all.subarray(count)] : [];
    this.#size -= count;
    if (this.#chunks.length === 0) this.#chunks = [Buffer.alloc(0)];
    return all.subarray(0, count);
  }
}

function readHeader(header) {
  let length;
  let binary = false;
  for (const line of header.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'content-length') {
      length = /^\d{1,9}$/.test(value) ? Number(value) : -1;
      if (length < 0 || length > MAX_BODY) throw new Error(`Content-Length ${value} is not allowed`);
    } else if (name === 'content-type') {
      binary = value.toLowerCase() === BINARY_TYPE;
    }
  }
  if (length === undefined) throw new Error('frame without Content-Length');
  return [length, binary];
}
