// Reads channels.<id>: which accounts a channel has and what applies to each. An account's own value wins over the channel's.
// Account ids are compared without case; blank, "default" and the channel's own name for it ("Primary" at bncr) are the one that always
// exists.
import { channelInfo } from './manifest.mjs';

const section = (channel, cfg) => cfg?.channels?.[channel] ?? {};

/** The account that a channel always has. */
export const defaultAccount = (channel) => channelInfo(channel).defaultAccount;

/** The id to show for any spelling of an account id. */
export function accountName(channel, cfg, accountId) {
  const usual = defaultAccount(channel);
  const wanted = String(accountId ?? '').trim().toLowerCase();
  if (wanted === '' || wanted === 'default' || wanted === usual.toLowerCase()) return usual;
  return Object.keys(section(channel, cfg).accounts ?? {}).find((key) => key.toLowerCase() === wanted) ?? String(accountId).trim();
}

/** Every account: the one that always exists first, then those of the settings. */
export function listAccountIds(channel, cfg) {
  const names = [defaultAccount(channel)];
  for (const key of Object.keys(section(channel, cfg).accounts ?? {})) {
    const name = accountName(channel, cfg, key);
    if (!names.some((known) => known.toLowerCase() === name.toLowerCase())) names.push(name);
  }
  return names;
}

/** Everything that applies to an account. */
export function resolveAccount(channel, cfg, accountId) {
  const root = section(channel, cfg);
  const name = accountName(channel, cfg, accountId);
  const own = Object.entries(root.accounts ?? {}).find(([key]) => accountName(channel, cfg, key).toLowerCase() === name.toLowerCase())?.[1] ?? {};
  const pick = (key, fallback) => own[key] ?? root[key] ?? fallback;
  return {
    channel,
    accountId: name,
    name: own.name ?? (name === defaultAccount(channel) ? root.name : undefined),
    configured: cfg?.channels?.[channel] !== undefined,
    enabled: root.enabled !== false && own.enabled !== false,
    dmPolicy: pick('dmPolicy', 'pairing'),
    groupPolicy: pick('groupPolicy', 'allowlist'),
    allowFrom: pick('allowFrom', []),
    groupAllowFrom: pick('groupAllowFrom', []),
    outboundRequireAck: pick('outboundRequireAck', 'auto'),
    restartNotice: pick('restartNotice', false),
    blockStreaming: pick('blockStreaming', false),
    mediaMaxMb: pick('mediaMaxMb', undefined),
  };
}

/** What tells one account of one channel from every other one. */
export const accountKey = (channel, accountId) => `${channel}/${String(accountId).toLowerCase()}`;
