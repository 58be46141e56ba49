// What an agent says while it answers, as turn events. The gateway gives its text as a snapshot of the whole, as a delta, or as a
// replacement; the
// link carries what is new (`partial`), the whole where text that was told is told otherwise (`rewrite`), and where a message of several
// ends (`message`).
// A turn whose caller waits for the answer itself (`collect`) gets its finished messages here, too (`reply`); those of channels go through
// the
// gateway's durable queue.

export class TurnStream {
  #emit;
  #collect;
  #text = '';
  /** Messages of a collecting turn that were ended before the gateway delivered them. */
  #ended = [];
  #thought = '';
  #calls = new Set();

  /** Why the answer is no answer, where the gateway delivers a failure as a text. */
  failure = null;

  /** The message that grows, as far as it was told. */
  get text() {
    return this.#text;
  }

  constructor(emit, collect) {
    this.#emit = emit;
    this.#collect = collect;
  }

  /** The agent begins a message: the one before is over. */
  messageStart() {
    if (this.#text !== '') {
      this.#emit('message', { text: this.#text });
      this.#ended.push(this.#text);
    }
    this.#text = '';
    this.#thought = '';
  }

  partial({ text, delta, replace }) {
    const next = whole(typeof text === 'string' && (text !== '' || replace) ? text : this.#text + (delta ?? ''));
    if (next.startsWith(this.#text)) {
      if (next.length > this.#text.length) this.#emit('partial', { text: next.slice(this.#text.length) });
    } else if (!replace && this.#text.startsWith(next)) {
      return; // a snapshot that came late, or without its last blanks
    } else {
      this.#emit('rewrite', { text: next });
    }
    this.#text = next;
  }

  /** Reasoning comes as a snapshot, too, or as pieces. */
  reasoning({ text, isReasoningSnapshot }) {
    if (!this.#collect || typeof text !== 'string' || text === '') return;
    const next = whole(text);
    if (next.startsWith(this.#thought)) {
      if (next.length > this.#thought.length) this.#emit('reasoning', { text: next.slice(this.#thought.length) });
    } else if (isReasoningSnapshot) {
      this.#emit('reasoning', { text: `\n\n${next}` });
    } else {
      this.#emit('reasoning', { text: next });
    }
    this.#thought = next;
  }

  toolStart({ toolCallId, itemId, name, phase, args }) {
    const callId = toolCallId ?? itemId;
    if (!this.#collect || !callId || !name || (phase && phase !== 'start') || this.#calls.has(callId)) return;
    this.#calls.add(callId);
    this.#emit('toolCall', { callId, name, arguments: JSON.stringify(args ?? {}) });
  }

  toolEnd({ toolCallId, itemId, phase, status, summary, progressText, output }) {
    const callId = toolCallId ?? itemId;
    if (!this.#calls.has(callId) || (phase !== 'end' && phase !== 'result' && phase !== 'error')) return;
    this.#calls.delete(callId);
    this.#emit('toolResult', { callId, output: String(output ?? summary ?? progressText ?? status ?? '') });
  }

  /** A finished message of a collecting turn. `upload` puts its files where the host finds them; without it they go by their addresses. */
  async reply(payload, info, upload) {
    if (info?.kind === 'tool' || payload.isReasoning) return;
    const text = (payload.text ?? '').toWellFormed();
    if (payload.isError) {
      this.failure = text;
      return;
    }
    const urls = payload.mediaUrls?.length ? payload.mediaUrls : payload.mediaUrl ? [payload.mediaUrl] : [];
    const known = this.#ended.indexOf(text);
    if (known >= 0 && urls.length === 0) {
      this.#ended.splice(known, 1); // told already, when the next message began
      return;
    }
    const media = urls.length === 0 ? undefined : upload ? await upload(urls, payload) : urls.map((url) => ({ url }));
    this.#emit('reply', { text, media });
    this.#text = '';
  }
}

/** Half a surrogate pair waits for its other half; it can't be written as UTF-8. */
const whole = (text) => (/[\uD800-\uDBFF]$/.test(text) ? text.slice(0, -1) : text).toWellFormed();
