// Who may speak: the gateway's own resolver decides, by its settings and its pairing store; nothing is decided here. The same
// question is asked twice: before the host accepts a message (link.admit), and for its turn, whose context needs the result.
import { resolveCommandAuthorization } from 'openclaw/plugin-sdk/command-auth-native';
import { isAbortRequestText } from 'openclaw/plugin-sdk/command-primitives-runtime';
import { resolveAccount } from './accounts.mjs';
import { bridge, currentConfig } from './bridge.mjs';
import { isOwnChannel } from './manifest.mjs';
import { accountOf } from './media.mjs';
import { LinkError } from './rpc.mjs';

const identityOf = (channel) => ({ key: `${channel}-route`, sensitivity: 'pii', authentication: 'asserted' });

/** Asks the resolver. `contextBinding` is given for a turn only. */
export function resolveIngress({ cfg, account, subject, isGroup, conversationId, isCommand, contextBinding }) {
  return bridge.runtime.channel.inbound.ingress.resolveStable({
    channelId: account.channel,
    accountId: account.accountId,
    cfg,
    identity: identityOf(account.channel),
    subject: { stableId: subject },
    conversation: { kind: isGroup ? 'group' : 'direct', id: conversationId },
    event: { kind: 'message', authMode: 'inbound', mayPair: !isGroup },
    dmPolicy: account.dmPolicy,
    groupPolicy: account.groupPolicy,
    groupAllowFromFallbackToAllowFrom: false,
    allowFrom: account.allowFrom,
    groupAllowFrom: account.groupAllowFrom,
    accessGroups: cfg.accessGroups,
    useDefaultPairingStore: true,
    ...(isCommand ? { command: { allowTextCommands: true, hasControlCommand: true } } : {}),
    ...(contextBinding ? { contextBinding } : {}),
  });
}

/** Answers link.admit: allow, block with a reason, or pairing with the text that tells the code. */
export async function admit({ channel, accountId, subject, senderId, isGroup, conversationId, isCommand }) {
  if (!isOwnChannel(channel)) throw new LinkError('NOT_FOUND', `the plugin's package has no channel '${channel}'; install the package that the host makes`);
  const cfg = currentConfig();
  const account = resolveAccount(channel, cfg, accountId);
  if (!account.enabled) return { decision: 'block', reason: 'account disabled' };
  const ingress = await resolveIngress({ cfg, account, subject, isGroup, conversationId, isCommand });
  // A command that is not authorised still goes to the agent's side, which answers nothing to it; only the sender's gate counts here.
  if (ingress.senderAccess.allowed) return { decision: 'allow' };
  if (ingress.senderAccess.decision === 'pairing') return pairing(account, subject, senderId);
  return { decision: 'block', reason: blockReason(account, isGroup), code: ingress.senderAccess.reasonCode };
}

async function pairing(account, subject, senderId) {
  const { code } = await bridge.runtime.channel.pairing.upsertPairingRequest({
    channel: account.channel,
    accountId: account.accountId,
    id: subject,
    meta: { sender: senderId, account: account.accountId },
  });
  if (!code) return { decision: 'pairing', reason: 'pairing required' }; // too many open requests: nothing to tell
  return {
    decision: 'pairing',
    reason: 'pairing required',
    replyKey: `pairing/${code}`,
    replyText: bridge.runtime.channel.pairing.buildPairingReply({ channel: account.channel, idLine: `Your id: ${subject}`, code }),
  };
}

/** The words that bncr clients know. */
function blockReason(account, isGroup) {
  const policy = isGroup ? account.groupPolicy : account.dmPolicy;
  return `${isGroup ? 'group' : 'dm'} ${policy === 'disabled' ? 'disabled' : 'allowlist blocked'}`;
}

/** Words by which a turn is stopped, or decided on what it asked for. */
const isUrgent = (text) => isAbortRequestText(text) || /^\s*\/approve(?:[\s:@]|$)/i.test(text);

/** Whether the gateway takes a turn's text for a command. From senders without commands a slash, or "stop", is a text like another. */
export const isCommandOf = ({ commands, isCommand, text }) => commands !== false && (isCommand === true || isUrgent(text));

/**
 * What stops a turn, or decides on what it asked for, would wait for that very turn: it passes the line of its session. Only from a
 * sender whose commands count for the gateway's core, which asks more than the resolver: once it has a command owner (the first approved
 * pairing makes one), nobody else's count. Another one's would be a second message in a session that is busy.
 */
export async function passes(params) {
  if (params.commands === false || (params.passes !== true && !isUrgent(params.text))) return false;
  const { senderId, isGroup, conversationId, replyTo } = params;
  const subject = params.subject ?? senderId;
  const cfg = currentConfig();
  const account = accountOf(params.channel, params.accountId);
  const ingress = await resolveIngress({ cfg, account, subject, isGroup, conversationId, isCommand: true });
  const { isAuthorizedSender } = resolveCommandAuthorization({
    cfg,
    commandAuthorized: ingress.commandAccess.authorized === true,
    ctx: {
      Provider: account.channel,
      Surface: account.channel,
      AccountId: account.accountId,
      From: subject,
      To: replyTo,
      SenderId: subject,
      ChatType: isGroup ? 'group' : 'direct',
    },
  });
  return isAuthorizedSender;
}
