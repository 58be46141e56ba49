// The channel object: how the gateway sees the channel bncr. Safe to load anywhere (set-up, discovery, status): it opens nothing.
import { accountName, CHANNEL, listAccountIds, PRIMARY, resolveAccount } from './accounts.mjs';
import { bridge } from './bridge.mjs';
import { messageAdapter, sendText } from './delivery.mjs';
import { setupContract, setupWizard } from './setup.mjs';
import { buildAccountSnapshot, buildChannelSummary, collectStatusIssues, refreshStatus } from './status.mjs';

const describe = (account) => ({
  accountId: account.accountId, name: account.name, enabled: account.enabled, configured: account.configured, linked: true, dmPolicy: account.dmPolicy,
});

/** Where a setting that applies to an account stands, up to its key: in the account or in the channel. */
function pathOf(cfg, { accountId }, key) {
  const own = Object.entries(cfg.channels?.[CHANNEL]?.accounts ?? {}).find(([name]) => name.toLowerCase() === accountId.toLowerCase());
  return own && own[1][key] !== undefined ? `channels.${CHANNEL}.accounts.${own[0]}.` : `channels.${CHANNEL}.`;
}

export const channelPlugin = {
  id: CHANNEL,
  meta: {
    id: CHANNEL,
    label: 'Bncr',
    selectionLabel: 'Bncr (ChannelBridge)',
    docsPath: '/channels/bncr',
    blurb: 'chat bridges through the ChannelBridge host.',
    aliases: ['channelbridge'],
    markdownCapable: true,
  },
  capabilities: { chatTypes: ['direct', 'group'], media: true, reply: true, blockStreaming: true, nativeCommands: false },
  // A change of one account starts that account anew, not the others. The link is the service's and stays as it is.
  reload: { configPrefixes: [`channels.${CHANNEL}`], accountScopedRestart: true },

  setupContract,
  setupWizard,

  config: {
    listAccountIds,
    resolveAccount,
    // The gateway's audit reads the policy and its lists from here.
    inspectAccount: (cfg, accountId) => {
      const account = resolveAccount(cfg, accountId);
      return { ...account, ...describe(account) };
    },
    defaultAccountId: () => PRIMARY,
    isEnabled: (account) => account.enabled,
    isConfigured: (account) => account.configured,
    unconfiguredReason: () => `channels.${CHANNEL} is not set; set channels.${CHANNEL}.enabled to true`,
    describeAccount: describe,
    resolveAllowFrom: ({ cfg, accountId }) => resolveAccount(cfg, accountId).allowFrom,
    formatAllowFrom: ({ allowFrom }) => allowFrom.map(String),
    hasConfiguredState: ({ cfg }) => cfg.channels?.[CHANNEL] !== undefined,
  },

  security: {
    resolveDmPolicy: ({ cfg, account }) => ({
      policy: account.dmPolicy,
      allowFrom: account.allowFrom,
      policyPath: `${pathOf(cfg, account, 'dmPolicy')}dmPolicy`,
      allowFromPath: pathOf(cfg, account, 'allowFrom'),
      approveHint: `openclaw pairing approve ${CHANNEL} <code>`,
      classifyEntryAuthentication: (entry) => (entry === '*' ? undefined : 'asserted'),
    }),
    // Each conversation has a session of its own, whatever the gateway's dmScope says.
    dmRouting: { resolveDmScope: () => 'per-account-channel-peer' },
  },

  pairing: {
    idLabel: 'bncrScope',
    notifyApproval: async ({ id, accountId }) => {
      await sendText({ accountId, to: id, text: 'You may write to me now.', deliveryId: `pairing-approved-${id}` });
    },
  },

  message: messageAdapter,

  outbound: {
    deliveryMode: 'gateway',
    textChunkLimit: 1_000_000,
    // The host knows every form of target; the gateway must not guess.
    resolveTarget: ({ to }) => {
      const target = to?.trim();
      return target ? { ok: true, to: target } : { ok: false, error: new Error(`a target is needed, for example Bncr:platform:user`) };
    },
  },

  messaging: {
    targetPrefixes: [CHANNEL],
    targetIdComparison: 'case-sensitive',
    normalizeTarget: (raw) => raw.trim() || undefined,
    targetResolver: { looksLikeId: (raw) => raw.includes(':'), hint: 'Bncr:platform:user or Bncr:platform:group:user' },
  },

  status: {
    defaultRuntime: { accountId: PRIMARY, running: false, lastStartAt: null, lastStopAt: null, lastError: null },
    buildAccountSnapshot,
    buildChannelSummary,
    collectStatusIssues,
  },

  gateway: {
    // The link belongs to the service; an account only lives and tells how it is, until it is stopped.
    startAccount: async (ctx) => {
      const key = accountName(ctx.cfg, ctx.accountId).toLowerCase();
      const tell = () => ctx.setStatus(buildAccountSnapshot({ account: ctx.account, runtime: ctx.getStatus() }));
      bridge.accountSinks.set(key, tell);
      ctx.setStatus({ ...ctx.getStatus(), accountId: ctx.accountId, running: true, lastStartAt: Date.now() });
      bridge.tellAccounts(); // accounts are started anew when their settings have changed
      void refreshStatus();
      await new Promise((resolve) => {
        if (ctx.abortSignal.aborted) resolve();
        else ctx.abortSignal.addEventListener('abort', resolve, { once: true });
      });
      if (bridge.accountSinks.get(key) === tell) bridge.accountSinks.delete(key);
      ctx.setStatus({ ...ctx.getStatus(), running: false, lifecycle: 'stopped', lastStopAt: Date.now() });
    },
  },
};
