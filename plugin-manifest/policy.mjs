// Who may speak: the gateway's own resolver decides, by its settings and its pairing store; nothing is decided here. The same
// question is asked twice: before the host accepts a message (link.admit), and for its turn, whose context needs the result.
import { accountName, CHANNEL, resolveAccount } from './accounts.mjs';
import { bridge, currentConfig } from './bridge.mjs';

const identity = { key: 'bncr-route', sensitivity: 'pii', authentication: 'asserted' };

/** Asks the resolver. `contextBinding` is given for a turn only. */
export function resolveIngress({ cfg, account, subject, isGroup, conversationId, isCommand, contextBinding }) {
  return bridge.runtime.channel.inbound.ingress.resolveStable({
    channelId: CHANNEL,
    accountId: account.accountId,
    cfg,
    identity,
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
export async function admit({ accountId, subject, senderId, isGroup, conversationId, isCommand }) {
  const cfg = currentConfig();
  const account = resolveAccount(cfg, accountId);
  if (!account.enabled) return { decision: 'block', reason: 'account disabled' };
  const ingress = await resolveIngress({ cfg, account, subject, isGroup, conversationId, isCommand });
  // A command that is not authorised still goes to the agent's side, which answers nothing to it; only the sender's gate counts here.
  if (ingress.senderAccess.allowed) return { decision: 'allow' };
  if (ingress.senderAccess.decision === 'pairing') return pairing(cfg, account, subject, senderId);
  return { decision: 'block', reason: blockReason(account, isGroup), code: ingress.senderAccess.reasonCode };
}

async function pairing(cfg, account, subject, senderId) {
  const { code } = await bridge.runtime.channel.pairing.upsertPairingRequest({
    channel: CHANNEL,
    accountId: account.accountId,
    id: subject,
    meta: { sender: senderId, account: accountName(cfg, account.accountId) },
  });
  if (!code) return { decision: 'pairing', reason: 'pairing required' }; // too many open requests: nothing to tell
  return {
    decision: 'pairing',
    reason: 'pairing required',
    replyKey: `pairing/${code}`,
    replyText: bridge.runtime.channel.pairing.buildPairingReply({ channel: CHANNEL, idLine: `Your id: ${subject}`, code }),
  };
}

/** The words that bncr clients know. */
function blockReason(account, isGroup) {
  const policy = isGroup ? account.groupPolicy : account.dmPolicy;
  return `${isGroup ? 'group' : 'dm'} ${policy === 'disabled' ? 'disabled' : 'allowlist blocked'}`;
}
