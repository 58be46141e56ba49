// A channel object: how the gateway sees one channel of the manifest. Safe to load anywhere (set-up, discovery, status): it opens nothing.
import { accountKey, accountName, defaultAccount, listAccountIds, resolveAccount } from './accounts.mjs';
import { bridge } from './bridge.mjs';
import { createMessageAdapter, sendText } from './delivery.mjs';
import { channelInfo, FIRST_CHANNEL } from './manifest.mjs';
import { createSetup } from './setup.mjs';
import { buildAccountSnapshot, buildChannelSummary, collectStatusIssues, refreshStatus } from './status.mjs';

const describe = (account) => ({
  accountId: account.accountId, name: account.name, enabled: account.enabled, configured: account.configured, linked: true, dmPolicy: account.dmPolicy,
});

/** Where a setting that applies to an account stands, up to its key: in the account or in the channel. */
function pathOf(channel, cfg, { accountId }, key) {
  const own = Object.entries(cfg.channels?.[channel]?.accounts ?? {}).find(([name]) => name.toLowerCase() === accountId.toLowerCase());
  return own && own[1][key] !== undefined ? `channels.${channel}.accounts.${own[0]}.` : `channels.${channel}.`;
}

/** An account lives from its start until the gateway stops it; meanwhile it only tells how it is. The link belongs to the service. */
async function startAccount(channel, ctx) {
  const key = accountKey(channel, accountName(channel, ctx.cfg, ctx.accountId));
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
}

/** The channel object of a channel of the manifest. */
export function createChannel(channel) {
  const { label, description, targetHint } = channelInfo(channel);
  const resolve = (cfg, accountId) => resolveAccount(channel, cfg, accountId);
  const { setupContract, setupWizard } = createSetup(channel);
  return {
    id: channel,
    meta: {
      id: channel,
      label,
      selectionLabel: `${label} (ChannelBridge)`,
      docsPath: `/channels/${channel}`,
      blurb: description,
      aliases: channel === FIRST_CHANNEL ? ['channelbridge'] : [],
      markdownCapable: true,
    },
    capabilities: { chatTypes: ['direct', 'group'], media: true, reply: true, blockStreaming: true, nativeCommands: false },
    // A change of one account starts that account anew, not the others. The link is the service's and stays as it is.
    reload: { configPrefixes: [`channels.${channel}`], accountScopedRestart: true },

    setupContract,
    setupWizard,

    config: {
      listAccountIds: (cfg) => listAccountIds(channel, cfg),
      resolveAccount: resolve,
      // The gateway's audit reads the policy and its lists from here.
      inspectAccount: (cfg, accountId) => {
        const account = resolve(cfg, accountId);
        return { ...account, ...describe(account) };
      },
      defaultAccountId: () => defaultAccount(channel),
      isEnabled: (account) => account.enabled,
      isConfigured: (account) => account.configured,
      unconfiguredReason: () => `channels.${channel} is not set; set channels.${channel}.enabled to true`,
      describeAccount: describe,
      resolveAllowFrom: ({ cfg, accountId }) => resolve(cfg, accountId).allowFrom,
      formatAllowFrom: ({ allowFrom }) => allowFrom.map(String),
      hasConfiguredState: ({ cfg }) => cfg.channels?.[channel] !== undefined,
    },

    security: {
      resolveDmPolicy: ({ cfg, account }) => ({
        policy: account.dmPolicy,
        allowFrom: account.allowFrom,
        policyPath: `${pathOf(channel, cfg, account, 'dmPolicy')}dmPolicy`,
        allowFromPath: pathOf(channel, cfg, account, 'allowFrom'),
        approveHint: `openclaw pairing approve ${channel} <code>`,
        classifyEntryAuthentication: (entry) => (entry === '*' ? undefined : 'asserted'),
      }),
      // Each conversation has a session of its own, whatever the gateway's dmScope says.
      dmRouting: { resolveDmScope: () => 'per-account-channel-peer' },
    },

    pairing: {
      idLabel: `${channel}Scope`,
      notifyApproval: async ({ id, accountId }) => {
        await sendText(channel, { accountId, to: id, text: 'You may write to me now.', deliveryId: `pairing-approved-${id}` });
      },
    },

    message: createMessageAdapter(channel),

    outbound: {
      deliveryMode: 'gateway',
      textChunkLimit: 1_000_000,
      // The host knows every form of target; the gateway must not guess.
      resolveTarget: ({ to }) => {
        const target = to?.trim();
        return target ? { ok: true, to: target } : { ok: false, error: new Error(`a target is needed, for example ${targetHint}`) };
      },
    },

    messaging: {
      targetPrefixes: [channel],
      targetIdComparison: 'case-sensitive',
      normalizeTarget: (raw) => raw.trim() || undefined,
      targetResolver: { looksLikeId: (raw) => raw.includes(':'), hint: targetHint },
    },

    status: {
      defaultRuntime: { accountId: defaultAccount(channel), running: false, lastStartAt: null, lastStopAt: null, lastError: null },
      buildAccountSnapshot,
      buildChannelSummary,
      collectStatusIssues: (accounts) => collectStatusIssues(channel, accounts),
    },

    gateway: { startAccount: (ctx) => startAccount(channel, ctx) },
  };
}
