// A word into a session of the gateway outside of any turn (link.notify). The text goes one way only, the core's next-turn injection; to
// wake the session it gets a system event without the text and a heartbeat request, so that the text can't reach the model twice.
import { bridge } from './bridge.mjs';
import { LinkError } from './rpc.mjs';

const MAX_KEYS = 4_096;
const MAX_CHARS = 32_768;
const WAKE_TEXT = 'ChannelBridge has something new for this session.';

/** Keys that were handed over. The core's own deduplication ends when an injection is consumed; the host's repetition may come later. */
const delivered = new Set();

/** Answers link.notify when the core has the text on its disk. */
export async function notify({ sessionKey, agentId, text, key, wake }) {
  if (!bridge.workflow?.enqueueNextTurnInjection) throw new LinkError('UNAVAILABLE', 'this gateway has no next-turn injection; update OpenClaw', { retryable: true });
  if (!key || !sessionKey || !text) throw new LinkError('INVALID_REQUEST', 'link.notify: sessionKey, text and key are needed');
  if (text.length > MAX_CHARS) throw new LinkError('PAYLOAD_TOO_LARGE', `a notice to a session of the gateway has ${MAX_CHARS} characters at most`);
  if (delivered.has(key)) return { delivered: true, duplicate: true };
  const session = { sessionKey, ...(agentId ? { agentId } : {}) };
  const { enqueued, id } = await bridge.workflow.enqueueNextTurnInjection({ ...session, text: text.toWellFormed(), idempotencyKey: key });
  if (!enqueued) {
    throw id
      // It has too many, or this one was handed over by a gateway that was killed before it could say so: the next time tells.
      ? new LinkError('BUSY', 'the session has notices that it has not read yet', { retryable: true, retryAfterMs: 5_000 })
      : new LinkError('NOT_FOUND', 'the gateway has no such session', { retryable: true, retryAfterMs: 30_000 });
  }
  delivered.add(key);
  if (delivered.size > MAX_KEYS) delivered.delete(delivered.values().next().value);
  if (wake) wakeUp(session);
  return { delivered: true };
}

/** The text is safe by now: that it can't be hurried is no failure. */
function wakeUp(session) {
  const { system } = bridge.runtime;
  try {
    system.enqueueSystemEvent(WAKE_TEXT, session);
    // Of the intents, 'event' would wake an agent once and have all further notices wait for its next heartbeat.
    system.requestHeartbeat({ source: 'other', intent: 'immediate', reason: 'channelbridge-notice', ...session });
  } catch (error) {
    bridge.logger.warn(`a session can't be woken: ${error?.message ?? error}`);
  }
}
