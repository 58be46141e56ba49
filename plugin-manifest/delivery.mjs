// Answers and proactive sends on their way to the host. Each is link.send with a stable key (the gateway's delivery id and part), so
// sending twice stores once. While the host is away the gateway's own queue retries, but gives up after five attempts (about 50 s);
// what it handed us is therefore also kept here, bounded, and sent when the link is back. The key makes the two harmless together.
import { randomUUID } from 'node:crypto';
import { PlatformMessageNotDispatchedError } from 'openclaw/plugin-sdk/error-runtime';
import { createMessageReceiptFromOutboundResults, defineChannelMessageAdapter } from 'openclaw/plugin-sdk/channel-outbound';
import { CHANNEL, resolveAccount } from './accounts.mjs';
import { bridge, currentConfig } from './bridge.mjs';
import { sendMedia } from './media.mjs';

const SEND_TIMEOUT_MS = 20_000;
const MAX_KEPT = 2_000;
const MAX_KEPT_CHARS = 16 * 1024 * 1024;

/** The notice with which the gateway's core announces that it resumes an interrupted turn; it comes without a delivery id. */
const RESTART_NOTICE = /^I'm continuing your interrupted request now/;

const kept = new Map();
let keptChars = 0;

/** Sends to the host. Throws PlatformMessageNotDispatchedError when it is certain that the host doesn't have it. */
async function send(params, signal) {
  const key = `${params.deliveryId}/${params.part}`;
  try {
    const answer = await bridge.link.request('link.send', params, { timeoutMs: SEND_TIMEOUT_MS, signal });
    forget(key);
    return answer;
  } catch (error) {
    const retryable = mayRetry(error);
    if (retryable) keep(key, params);
    // link.send is idempotent by its key: even when the answer was lost, sending again can't duplicate.
    throw new PlatformMessageNotDispatchedError(`ChannelBridge: ${error.message}`, { cause: error, retryable });
  }
}

/** False when the host has refused the message itself: the same message will be refused again. */
const mayRetry = ({ code }) => !['INVALID_REQUEST', 'NOT_FOUND', 'FORBIDDEN', 'PAYLOAD_TOO_LARGE'].includes(code);

function keep(key, params) {
  const chars = (params.text ?? '').length;
  if (kept.has(key) || kept.size >= MAX_KEPT || keptChars + chars > MAX_KEPT_CHARS) return;
  kept.set(key, params);
  keptChars += chars;
}

function forget(key) {
  const params = kept.get(key);
  if (params && kept.delete(key)) keptChars -= (params.text ?? '').length;
}

/** How many answers wait for the host. */
export const keptAnswers = () => kept.size;

/** Sends what was kept, in order. Called when the link has come up. */
export async function flushKept() {
  for (const [key, params] of [...kept]) {
    try {
      await bridge.link.request('link.send', params, { timeoutMs: SEND_TIMEOUT_MS });
    } catch (error) {
      if (mayRetry(error)) return; // the link broke again, or the host is busy: the next time
      bridge.logger.warn(`the host refused a kept answer: ${error.message}`);
    }
    forget(key);
  }
}

function receiptOf(answer, { to, replyToId, kind }) {
  const receipt = createMessageReceiptFromOutboundResults({
    results: [{ channel: CHANNEL, messageId: answer.messageId, conversationId: to }],
    kind,
    replyToId: replyToId ?? undefined,
  });
  return { messageId: answer.messageId, receipt };
}

const nothingSent = () => ({ outcome: 'not_sent', receipt: createMessageReceiptFromOutboundResults({ results: [], kind: 'text' }) });

async function sendThroughAdapter(ctx, source) {
  if (!ctx.deliveryQueueId && RESTART_NOTICE.test(ctx.text ?? '') && !resolveAccount(ctx.cfg, ctx.accountId).restartNotice) {
    return nothingSent();
  }
  await ctx.onPlatformSendDispatch?.();
  ctx.assertDirectAdapterHandoff?.();
  const media = source ? await filesOf([source], { accountId: ctx.accountId, to: ctx.to, access: accessOf(ctx), voice: ctx.audioAsVoice, signal: ctx.signal }) : undefined;
  const answer = await send({
    channel: CHANNEL,
    deliveryId: ctx.deliveryQueueId ?? `direct-${randomUUID()}`,
    part: ctx.deliveryPartIndex ?? 0,
    parts: ctx.deliveryPartCount ?? 1,
    accountId: ctx.accountId ?? undefined,
    to: ctx.to,
    text: ctx.text ?? '',
    replyToId: ctx.replyToId ?? undefined,
    media,
  }, ctx.signal);
  if (answer.messageId === '') return nothingSent(); // the agent had nothing to say
  return receiptOf(answer, { to: ctx.to, replyToId: ctx.replyToId, kind: media ? 'media' : 'text' });
}

/** The `message` adapter: where every answer and every proactive send of the gateway arrives. */
export const messageAdapter = defineChannelMessageAdapter({
  id: CHANNEL,
  durableFinal: {
    capabilities: { text: true, media: true, replyTo: true, messageSendingHooks: true, reconcileUnknownSend: true },
    automaticUnknownSendReconciliation: true,
    reconcileUnknownSendKinds: { text: true, media: true },
    reconcileUnknownSend: reconcile,
  },
  send: {
    text: (ctx) => sendThroughAdapter(ctx),
    media: (ctx) => sendThroughAdapter(ctx, ctx.mediaUrl),
  },
  receive: { defaultAckPolicy: 'after_receive_record', supportedAckPolicies: ['after_receive_record'] },
});

/** Asks the host whether it has a message whose fate the gateway doesn't know (it was killed between sending and noting it). */
async function reconcile({ queueId, to, accountId, effectiveReplyToId }) {
  try {
    const answer = await bridge.link.request('link.reconcile', { channel: CHANNEL, deliveryId: queueId, accountId: accountId ?? undefined, to });
    if (answer.status !== 'sent') return { status: 'not_sent' };
    return { status: 'sent', ...receiptOf(answer, { to, replyToId: effectiveReplyToId, kind: 'text' }) };
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
    channel: CHANNEL,
    deliveryId: `turn-${turn.messageId}`,
    part: ordinal,
    accountId: turn.accountId,
    to: turn.replyTo,
    text: payload.text ?? '',
    kind: info?.kind,
    replyToId: turn.messageId,
    media: urls.length > 0 ? await filesOf(urls, { accountId: turn.accountId, to: turn.replyTo, access: accessOf(payload), voice: payload.audioAsVoice }) : undefined,
  });
  return { messageIds: [answer.messageId], visibleReplySent: true };
}

/** From where the agent may send files, as the gateway says it. */
const accessOf = ({ mediaAccess, mediaLocalRoots, mediaReadFile }) => ({
  localRoots: mediaAccess?.localRoots ?? mediaLocalRoots,
  readFile: mediaAccess?.readFile ?? mediaReadFile,
  workspaceDir: mediaAccess?.workspaceDir,
});

/** The files of a message, in the host's spool. While the host is away nothing was sent, so that the gateway tries again. */
async function filesOf(sources, { accountId, ...rest }) {
  try {
    return await sendMedia(sources, { accountId: accountId ?? undefined, ...rest });
  } catch (error) {
    throw new PlatformMessageNotDispatchedError(`ChannelBridge: ${error.message}`, { cause: error, retryable: mayRetry(error) });
  }
}

/** Text to a target outside of any turn (the notice after an approved pairing). */
export async function sendText({ accountId, to, text, deliveryId }) {
  return send({ channel: CHANNEL, deliveryId, part: 0, accountId: resolveAccount(currentConfig(), accountId).accountId, to, text });
}
