// Messages on a byte stream, framed as LSP does it: "Content-Length: N", a blank line, N bytes of UTF-8 JSON.
// The reader is bounded (header 8 KiB, body MAX_BODY) and copies each body once. A broken frame can't be skipped, so it throws
// and the link is closed.

/** Largest body in bytes: an inline attachment of 30 MiB in base64, and room to spare. */
export const MAX_BODY = 64 * 1024 * 1024;
const MAX_HEADER = 8 * 1024;
const HEADER_END = Buffer.from('\r\n\r\n');

/** One message as a buffer ready to be written. */
export function encodeFrame(message) {
  const body = Buffer.from(JSON.stringify(message), 'utf8');
  return Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`, 'latin1'), body]);
}

/** Cuts a byte stream into messages. */
export class FrameReader {
  #chunks = [];
  #size = 0;
  #bodyLength = -1;

  /** Adds bytes and returns the messages that are complete now, parsed. Throws on a frame that can't be read. */
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
        this.#bodyLength = readLength(all.toString('latin1', 0, end));
        this.#take(end + HEADER_END.length);
      }
      if (this.#size < this.#bodyLength) return messages;
      messages.push(JSON.parse(this.#take(this.#bodyLength).toString('utf8')));
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

function readLength(header) {
  for (const line of header.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && line.slice(0, colon).trim().toLowerCase() === 'content-length') {
      const value = line.slice(colon + 1).trim();
      const length = /^\d{1,9}$/.test(value) ? Number(value) : -1;
      if (length < 0 || length > MAX_BODY) throw new Error(`Content-Length ${value} is not allowed`);
      return length;
    }
  }
  throw new Error('frame without Content-Length');
}
