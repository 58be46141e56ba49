// Answers and proactive sends on their way to the host. Each is link.send with a stable key (the gateway's delivery id and part), so
// sending twice stores once. While the host is away the gateway's own queue retries, but gives up after five attempts (about 50 s);
// what it handed us is therefore also kept here, bounded, and sent when the link is back. The key makes the two harmless together.
import { randomUUID } from 'node:crypto';
import { PlatformMessageNotDispatchedError } from 'openclaw/plugin-sdk/error-runtime';
import { createMessageReceiptFromOutboundResults, defineChannelMessageAdapter } from 'openclaw/plugin-sdk/channel-outbound';
import { accountKey, resolveAccount } from './accounts.mjs';
import { bridge, currentConfig } from './bridge.mjs';
import { Keeper } from './kept.mjs';
import { sendMedia } from './media.mjs';

const SEND_TIMEOUT_MS = 20_000;

const kept = new Keeper({
  send: (params) => bridge.link.request('link.send', params, { timeoutMs: SEND_TIMEOUT_MS }),
  mayRetry,
  onRefused: (error) => bridge.logger.warn(`the host refused a kept answer: ${error.message}`),
});

/** Sends to the host. Throws PlatformMessageNotDispatchedError when it is certain that the host doesn't have it. */
async function send(message, signal) {
  // Half a surrogate pair (an emoji that the agent cut) can't be written as UTF-8: U+FFFD stands for it, as in partial text.
  const params = { ...message, text: message.text.toWellFormed() };
  const key = `${params.deliveryId}/${params.part}`;
  const line = accountKey(params.channel, params.accountId ?? '');
  // What was kept goes first; while it can't, this waits behind it.
  if (!(await kept.clear(line, key))) {
    kept.keep(key, line, params);
    throw notDispatched(new Error('earlier messages wait for the host; this one follows them'), true);
  }
  try {
    const answer = await bridge.link.request('link.send', params, { timeoutMs: SEND_TIMEOUT_MS, signal });
    kept.forget(key);
    return answer;
  } catch (error) {
    const retryable = mayRetry(error);
    if (retryable) kept.keep(key, line, params);
    // link.send is idempotent by its key: even when the answer was lost, sending again can't duplicate.
    throw notDispatched(error, retryable);
  }
}

const notDispatched = (error, retryable) => new PlatformMessageNotDispatchedError(`ChannelBridge: ${error.message}`, { cause: error, retryable });

/** False when the host has refused the message itself: the same message will be refused again. */
function mayRetry({ code }) {
  return !['INVALID_REQUEST', 'NOT_FOUND', 'FORBIDDEN', 'PAYLOAD_TOO_LARGE'].includes(code);
}

/** How many answers wait for the host. */
export const keptAnswers = () => kept.size;

/** Sends what was kept, in order. Called when the link has come up. */
export const flushKept = () => kept.flush();

function receiptOf(channel, answer, { to, replyToId, kind }) {
  const receipt = createMessageReceiptFromOutboundResults({
    results: [{ channel, messageId: answer.messageId, conversationId: to }],
    kind,
    replyToId: replyToId ?? undefined,
  });
  return { messageId: answer.messageId, receipt };
}

const nothingSent = () => ({ outcome: 'not_sent', receipt: createMessageReceiptFromOutboundResults({ results: [], kind: 'text' }) });

async function sendThroughAdapter(channel, ctx, source) {
  await ctx.onPlatformSendDispatch?.();
  ctx.assertDirectAdapterHandoff?.();
  const media = source
    ? await filesOf([source], { channel, accountId: ctx.accountId, to: ctx.to, access: accessOf(ctx), voice: ctx.audioAsVoice, signal: ctx.signal })
    : undefined;
  const answer = await send({
    channel,
    deliveryId: ctx.deliveryQueueId ?? `direct-${randomUUID()}`,
    // Without an id of the core's queue it is no answer but something that the core says by itself; the host knows what to make of that.
    direct: ctx.deliveryQueueId ? undefined : true,
    part: ctx.deliveryPartIndex ?? 0,
    parts: ctx.deliveryPartCount ?? 1,
    accountId: ctx.accountId ?? undefined,
    to: ctx.to,
    text: ctx.text ?? '',
    replyToId: ctx.replyToId ?? undefined,
    media,
  }, ctx.signal);
  if (answer.messageId === '') return nothingSent(); // the host delivers nothing of it
  return receiptOf(channel, answer, { to: ctx.to, replyToId: ctx.replyToId, kind: media ? 'media' : 'text' });
}

/** The `message` adapter of a channel: where every answer and every proactive send of the gateway arrives. */
export const createMessageAdapter = (channel) => defineChannelMessageAdapter({
  id: channel,
  durableFinal: {
    capabilities: { text: true, media: true, replyTo: true, messageSendingHooks: true, reconcileUnknownSend: true },
    automaticUnknownSendReconciliation: true,
    reconcileUnknownSendKinds: { text: true, media: true },
    reconcileUnknownSend: (unknown) => reconcile(channel, unknown),
  },
  send: {
    text: (ctx) => sendThroughAdapter(channel, ctx),
    media: (ctx) => sendThroughAdapter(channel, ctx, ctx.mediaUrl),
  },
  receive: { defaultAckPolicy: 'after_receive_record', supportedAckPolicies: ['after_receive_record'] },
});

/** Asks the host whether it has a message whose fate the gateway doesn't know (it was killed between sending and noting it). */
async function reconcile(channel, { queueId, to, accountId, effectiveReplyToId }) {
  try {
    const answer = await bridge.link.request('link.reconcile', { channel, deliveryId: queueId, accountId: accountId ?? undefined, to });
    if (answer.status !== 'sent') return { status: 'not_sent' };
    return { status: 'sent', ...receiptOf(channel, answer, { to, replyToId: effectiveReplyToId, kind: 'text' }) };
  } catch (error) {
    return { status: 'unresolved', error: error.message, retryable: true };
  }
}

/** What a turn's dispatcher hands over itself instead of the durable queue: tool results, blocks and media. */
export async function deliverPayload(turn, payload, info) {
  const urls = payload.mediaUrls?.length ? payload.mediaUrls : payload.mediaUrl ? [payload.mediaUrl] : [];
  if (!payload.text && urls.length === 0) return { visibleReplySent: false };
  const ordinal = (turn.delivered = (turn.delivered ?? -1) + 1);
  const answer = await send({
    // The order of a turn's own deliveries is its own: the same message dispatched again gives the same keys.
    channel: turn.channel,
    deliveryId: `turn-${turn.messageId}`,
    part: ordinal,
    accountId: turn.accountId,
    to: turn.replyTo,
    text: payload.text ?? '',
    kind: info?.kind,
    replyToId: turn.messageId,
    media: urls.length > 0
      ? await filesOf(urls, { channel: turn.channel, accountId: turn.accountId, to: turn.replyTo, access: accessOf(payload), voice: payload.audioAsVoice })
      : undefined,
  });
  return { messageIds: [answer.messageId], visibleReplySent: true };
}

/** From where the agent may send files, as the gateway says it. */
export const accessOf = ({ mediaAccess, mediaLocalRoots, mediaReadFile }) => ({
  localRoots: mediaAccess?.localRoots ?? mediaLocalRoots,
  readFile: mediaAccess?.readFile ?? mediaReadFile,
  workspaceDir: mediaAccess?.workspaceDir,
});

/** The files of a message, in the host's spool. While the host is away nothing was sent, so that the gateway tries again. */
async function filesOf(sources, { accountId, ...rest }) {
  try {
    return await sendMedia(sources, { accountId: accountId ?? undefined, ...rest });
  } catch (error) {
    throw notDispatched(error, mayRetry(error));
  }
}

/** Text to a target outside of any turn (the notice after an approved pairing). */
export async function sendText(channel, { accountId, to, text, deliveryId }) {
  return send({ channel, deliveryId, part: 0, accountId: resolveAccount(channel, currentConfig(), accountId).accountId, to, text });
}
