// Messages that the host couldn't take, until it can: bounded, in the order in which they came. Of one account (a line) a later message
// never
// overtakes an earlier one that waits here; other accounts don't wait for it.
const MAX_KEPT = 2_000;
const MAX_KEPT_CHARS = 16 * 1024 * 1024;

export class Keeper {
  #options;
  /** key → { line, params } */
  #kept = new Map();
  #chars = 0;
  /** line → the flush that is under way */
  #flushing = new Map();

  /** options: send(params) → promise, mayRetry(error), onRefused(error). */
  constructor(options) {
    this.#options = options;
  }

  get size() {
    return this.#kept.size;
  }

  /** Keeps a message unless it is kept already or there is no room; the gateway's own queue tries again in any case. */
  keep(key, line, params) {
    const chars = params.text.length;
    if (this.#kept.has(key) || this.#kept.size >= MAX_KEPT || this.#chars + chars > MAX_KEPT_CHARS) return;
    this.#kept.set(key, { line, params });
    this.#chars += chars;
  }

  forget(key) {
    const message = this.#kept.get(key);
    if (message && this.#kept.delete(key)) this.#chars -= message.params.text.length;
  }

  /** Sends what a line has before `key`; true when nothing of it waits any more. */
  async clear(line, key) {
    if (this.#firstOf(line) === undefined) return true;
    await this.#flushLine(line);
    const first = this.#firstOf(line);
    return first === undefined || first === key;
  }

  /** Sends everything, line by line. */
  async flush() {
    const lines = new Set([...this.#kept.values()].map(({ line }) => line));
    await Promise.all([...lines].map((line) => this.#flushLine(line)));
  }

  #firstOf(line) {
    for (const [key, message] of this.#kept) if (message.line === line) return key;
    return undefined;
  }

  #flushLine(line) {
    let flush = this.#flushing.get(line);
    if (!flush) {
      flush = this.#send(line).finally(() => this.#flushing.delete(line));
      this.#flushing.set(line, flush);
    }
    return flush;
  }

  async #send(line) {
    for (let key = this.#firstOf(line); key !== undefined; key = this.#firstOf(line)) {
      try {
        await this.#options.send(this.#kept.get(key).params);
      } catch (error) {
        if (this.#options.mayRetry(error)) return; // the link broke again, or the host is busy: the next time
        this.#options.onRefused(error);
      }
      this.forget(key);
    }
  }
}
