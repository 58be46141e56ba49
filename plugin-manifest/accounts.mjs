// Reads channels.bncr: which accounts there are and what applies to each. An account's own value wins over the channel's.
// Account ids are compared without case; blank, "default" and "primary" are the one account that always exists, "Primary".

export const CHANNEL = 'bncr';
export const PRIMARY = 'Primary';

const section = (cfg) => cfg?.channels?.[CHANNEL] ?? {};

/** The id to show for any spelling of an account id. */
export function accountName(cfg, accountId) {
  const wanted = String(accountId ?? '').trim().toLowerCase();
  if (wanted === '' || wanted === 'default' || wanted === 'primary') return PRIMARY;
  return Object.keys(section(cfg).accounts ?? {}).find((key) => key.toLowerCase() === wanted) ?? String(accountId).trim();
}

/** Every account: Primary first, then those of the settings. */
export function listAccountIds(cfg) {
  const names = [PRIMARY];
  for (const key of Object.keys(section(cfg).accounts ?? {})) {
    const name = accountName(cfg, key);
    if (!names.some((known) => known.toLowerCase() === name.toLowerCase())) names.push(name);
  }
  return names;
}

/** Everything that applies to an account. */
export function resolveAccount(cfg, accountId) {
  const root = section(cfg);
  const name = accountName(cfg, accountId);
  const own = Object.entries(root.accounts ?? {}).find(([key]) => accountName(cfg, key).toLowerCase() === name.toLowerCase())?.[1] ?? {};
  const pick = (key, fallback) => own[key] ?? root[key] ?? fallback;
  return {
    accountId: name,
    name: own.name ?? (name === PRIMARY ? root.name : undefined),
    configured: cfg?.channels?.[CHANNEL] !== undefined,
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
