// One agent turn: a link.turn becomes a dispatch through the gateway's inbound pipeline, and its partial text goes back as suffixes. The
// answers to a
// channel's message don't come this way: they go through the gateway's durable queue to the message adapter (delivery.mjs), live, after a
// restart and
// for follow-ups alike. Only a turn whose answer somebody waits for (collect) gets it as events.
import { toInboundMediaFacts } from 'openclaw/plugin-sdk/channel-inbound';
import { bridge, currentConfig } from './bridge.mjs';
import { accessOf, deliverPayload } from './delivery.mjs';
import { isOwnChannel } from './manifest.mjs';
import { accountOf, saveMedia, sendMedia } from './media.mjs';
import { isCommandOf, resolveIngress } from './policy.mjs';
import { LinkError } from './rpc.mjs';

/**
 * Runs a turn and gives its outcome. What a channel of the package doesn't own runs under the first one, and its answer goes back in the
 * turn.
 */
export async function dispatch(params, run, emit) {
  run.abort.signal.throwIfAborted(); // cancelled while it waited in line
  const { runtime } = bridge;
  const cfg = currentConfig();
  const own = isOwnChannel(params.channel);
  const account = accountOf(params.channel, params.accountId);
  const agentId = params.agentId ?? agentOf(params.sessionKey);
  // The gateway's settings govern what came by its own door, and what the host fetched for a channel of the package.
  const governed = params.door === 'gateway' || (params.door === 'channel' && own);
  const subject = params.subject ?? params.senderId;
  const ingress = await resolveIngress({
    cfg, account, subject, isGroup: params.isGroup, conversationId: params.conversationId, isCommand: isCommandOf(params),
    contextBinding: { agentId, sessionKey: params.sessionKey, messageId: params.messageId, inboundEventKind: 'user_request' },
  });
  if (governed && (!account.enabled || !ingress.senderAccess.allowed)) {
    throw new LinkError('FORBIDDEN', `the gateway's policy refuses the message now (${ingress.senderAccess.reasonCode})`);
  }
  const authorized = params.commands !== false && ingress.commandAccess.authorized === true;
  const media = toInboundMediaFacts(await saveMedia(params.media, account));
  const ctxPayload = runtime.channel.inbound.buildContext({
    channel: account.channel,
    accountId: account.accountId,
    messageId: params.messageId,
    timestamp: params.timestamp,
    from: subject,
    sender: { id: subject, name: params.senderName ?? params.senderId },
    conversation: { kind: params.isGroup ? 'group' : 'direct', id: params.conversationId, label: params.replyTo },
    route: { agentId, accountId: account.accountId, routeSessionKey: params.sessionKey, dispatchSessionKey: params.sessionKey },
    // Without replyToId: the message answers nothing, least of all itself. Its own answer's reference is the delivery's.
    reply: { to: params.replyTo, originatingTo: params.replyTo },
    message: { inboundEventKind: 'user_request', rawBody: params.text, body: params.text, bodyForAgent: params.text, commandBody: params.text },
    access: { commands: { authorized } },
    ...(media.length > 0 ? { media } : {}),
    // From a sender without commands a slash is the beginning of a text.
    ...(params.commands === false ? { extra: { CommandInterpretationSuppressed: true } } : {}),
    ...(params.instructions ? { supplemental: { groupSystemPrompt: params.instructions } } : {}),
    // The host's own settings have admitted what came by its own listener; the gateway's govern its own clients only.
    channelIngress: governed ? ingress : 'unsupported',
  });
  const result = await runtime.channel.inbound.dispatch({
    cfg,
    channel: account.channel,
    accountId: account.accountId,
    route: { agentId, sessionKey: params.sessionKey },
    ctxPayload,
    messageId: params.messageId,
    delivery: {
      ...(params.collect
        ? { deliver: async (payload, info) => { await run.stream.reply(payload, info, filesFor(params)); return { visibleReplySent: true }; } }
        : {
          durable: { to: params.replyTo, replyToId: params.messageId },
          deliver: (payload, info) => deliverPayload(params, payload, info),
        }),
      onError: (error) => bridge.logger.warn(`an answer wasn't delivered: ${error?.message ?? error}`),
    },
    dispatcherOptions: { onReplyStart: () => emit('typing', {}) },
    replyOptions: {
      abortSignal: run.abort.signal,
      disableBlockStreaming: !account.blockStreaming,
      onAssistantMessageStart: () => run.stream.messageStart(),
      onPartialReply: (payload) => run.stream.partial(payload),
      ...(params.collect
        ? {
          onReasoningStream: (payload) => run.stream.reasoning(payload),
          onToolStart: (payload) => run.stream.toolStart(payload),
          onItemEvent: (payload) => run.stream.toolEnd(payload),
          onCommandOutput: (payload) => run.stream.toolEnd(payload),
        }
        : {}),
    },
    turnAdoptionLifecycle: { admission: 'exclusive', onAdopted: () => emit('adopted', {}) },
  });
  return result?.dispatched === false ? 'not_dispatched' : 'completed';
}

/** agent:AGENT:… */
const agentOf = (sessionKey) => /^agent:([^:]+):/.exec(sessionKey)?.[1] ?? 'main';

/**
 * What a reply of a collecting turn has of files goes to the host's spool where a channel delivers it; whoever asked by Open Responses gets
 * addresses.
 */
const filesFor = ({ files, channel, accountId, replyTo }) => (files
  ? (sources, payload) => sendMedia(sources, { channel, accountId, to: replyTo, access: accessOf(payload), voice: payload.audioAsVoice })
  : null);
