// Turns that the host asks for (link.turn): each is dispatched once, in the line of its session, and ends with exactly one done or failed.
import { runDetachedWebhookWork } from 'openclaw/plugin-sdk/webhook-request-guards';
import { bridge } from './bridge.mjs';
import { dispatch } from './dispatch.mjs';
import { dropMedia } from './media.mjs';
import { passes } from './policy.mjs';
import { LinkError } from './rpc.mjs';
import { TurnStream } from './stream.mjs';

/** Running turns by message id. A turn that the host asks for again (after its restart) attaches to the run that is under way. */
const running = new Map();

/**
 * Turns that somebody waited for and that have ended, by message id. A host that died meanwhile asks for such a turn again, and the
 * gateway's core answers
 * nothing to a message that it has seen: so the answer is told again.
 */
const ended = new Map();
const ENDED_KEPT_MS = 10 * 60_000;
const ENDED_MAX = 64;

/** What a turn tells while it runs and needn't be told again: the answer itself comes as a whole. */
const PASSING = new Set(['partial', 'rewrite', 'reasoning', 'typing']);

/** The last dispatch of each session, while one is under way or waits. */
const lines = new Map();

/** Answers link.turn at once; the turn runs on. */
export function startTurn(params) {
  const known = running.get(params.messageId) ?? ended.get(params.messageId);
  if (known) {
    known.turnId = params.turnId;
    dropMedia(params.media); // the run that is under way has its own
    setImmediate(() => retell(known));
    return { accepted: true, attached: true };
  }
  const run = { turnId: params.turnId, abort: new AbortController() };
  running.set(params.messageId, run);
  run.stream = new TurnStream((kind, fields) => emit(kind, fields), params.collect === true);
  if (params.collect) run.told = [];
  const emit = (kind, fields) => {
    if (!PASSING.has(kind)) run.told?.push([kind, fields]);
    notify(run, kind, fields);
  };
  // Detached: agent work started in the context of another request is refused by the gateway once that request is over.
  runDetachedWebhookWork(() => inLine(params, () => dispatch(params, run, emit))).then(
    (outcome) => finish(params, run, () => {
      if (run.abort.signal.aborted) emit('failed', cancelled);
      else if (run.stream.failure !== null) emit('failed', { code: 'AGENT_FAILED', message: run.stream.failure || 'the agent failed', retryable: true });
      else emit('done', { outcome });
    }),
    (error) => finish(params, run, () => emit('failed', run.abort.signal.aborted ? cancelled : describe(error))),
  );
  return { accepted: true };
}

const notify = (run, kind, fields) => bridge.link.notify('link.turnEvent', { turnId: run.turnId, kind, ...fields });

/** Tells a host that asks again what its predecessor was told, and how far the text has grown. */
function retell(run) {
  if (!run.told) return;
  for (const [kind, fields] of run.told) notify(run, kind, fields);
  if (run.stream.text !== '' && run.told.at(-1)?.[0] !== 'done') notify(run, 'rewrite', { text: run.stream.text });
}

/**
 * One dispatch at a time in a session, in the order in which the host asked: a second one into a session that is busy is steered or fails.
 * The host
 * keeps the order of a conversation, but the same user on two accounts is two conversations and one session, and what a host that was
 * killed had
 * asked for runs on: only here is known what is under way.
 */
async function inLine(params, work) {
  if (await passes(params)) return work();
  const { sessionKey } = params;
  const turn = (lines.get(sessionKey) ?? Promise.resolve()).then(work);
  const settled = turn.catch(() => {});
  lines.set(sessionKey, settled);
  settled.then(() => {
    if (lines.get(sessionKey) === settled) lines.delete(sessionKey);
  });
  return turn;
}

/** Answers link.cancelTurn. The turn still ends with failed. */
export function cancelTurn({ turnId }) {
  for (const run of running.values()) {
    if (run.turnId !== turnId) continue;
    run.abort.abort();
    return { cancelled: true };
  }
  return { cancelled: false };
}

export const activeTurns = () => running.size;

const cancelled = { code: 'CANCELLED', message: 'the turn was cancelled', retryable: false };

function finish({ messageId }, run, tell) {
  running.delete(messageId);
  tell();
  if (run.told?.at(-1)?.[0] !== 'done') return; // what failed may be tried again
  ended.set(messageId, run);
  setTimeout(() => ended.delete(messageId), ENDED_KEPT_MS).unref();
  if (ended.size > ENDED_MAX) ended.delete(ended.keys().next().value);
}

function describe(error) {
  if (error instanceof LinkError) return { code: error.code, message: error.message, retryable: error.retryable };
  const message = `the gateway couldn't run the turn: ${error?.message ?? error}`;
  // A gateway that is about to stop takes no new work; the message waits for it and that costs no attempt.
  if (error?.name === 'GatewayDrainingError') return { code: 'UNAVAILABLE', message, retryable: true, retryAfterMs: 1000 };
  bridge.logger.warn(`a turn failed: ${error?.stack ?? error}`);
  return { code: 'INTERNAL', message, retryable: true };
}

