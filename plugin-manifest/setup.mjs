// Set-up: what `openclaw channels add` (which knows the first channel of a package only) and the onboarding wizard ask, and how the answers
// become
// settings. The channel's own go to channels.<id> (those of the account that always exists to its root, where they also hold for every
// other account), the host's address to
// plugins.entries.channelbridge.config. Opens nothing.
import { defineChannelSetupContract } from 'openclaw/plugin-sdk/channel-setup';
import { accountName, defaultAccount, resolveAccount } from './accounts.mjs';
import { channelInfo, PLUGIN_ID } from './manifest.mjs';
import { resolveSettings } from './settings.mjs';

const POLICIES = ['pairing', 'allowlist', 'open', 'disabled'];

const pluginConfig = (cfg) => cfg.plugins?.entries?.[PLUGIN_ID]?.config ?? {};

/** The configuration with a patch of channels.<id>, or of one account in it. */
function patchChannel(channel, cfg, accountId, patch) {
  const root = cfg.channels?.[channel] ?? {};
  const name = accountName(channel, cfg, accountId);
  const changed = name === defaultAccount(channel)
    ? { ...root, enabled: true, ...patch }
    : { ...root, enabled: true, accounts: { ...root.accounts, [name]: { ...root.accounts?.[name], ...patch } } };
  return { ...cfg, channels: { ...cfg.channels, [channel]: changed } };
}

/** The configuration with a patch of the plugin's own settings; what is undefined in the patch goes. */
function patchPlugin(cfg, patch) {
  if (Object.keys(patch).length === 0) return cfg;
  const entry = cfg.plugins?.entries?.[PLUGIN_ID] ?? {};
  const entries = { ...cfg.plugins?.entries, [PLUGIN_ID]: { ...entry, enabled: true, config: patched(cfg, patch) } };
  return { ...cfg, plugins: { ...cfg.plugins, entries } };
}

const patched = (cfg, patch) => Object.fromEntries(Object.entries({ ...pluginConfig(cfg), ...patch }).filter(([, value]) => value !== undefined));

/** A policy and the list that it needs: the gateway takes "open" only with "*". */
function policyPatch(account, policy, allowFrom) {
  const list = allowFrom ?? account.allowFrom;
  if (policy === 'open' && !list.includes('*')) return { dmPolicy: policy, allowFrom: [...list, '*'] };
  return { ...(policy ? { dmPolicy: policy } : {}), ...(allowFrom ? { allowFrom } : {}) };
}

/** What is wrong with the plugin's settings once a patch is in them, or null. */
function problemOf(cfg, patch) {
  try {
    resolveSettings(patched(cfg, patch));
    return null;
  } catch (error) {
    return error.message;
  }
}

const given = (text) => text?.trim() || undefined;

/** What was said of the host: a program to start, or where one listens; the one ends the other. */
const hostPatch = ({ endpoint, hostTokenFile, hostCommand }) => (given(hostCommand)
  ? { mode: 'managed', command: given(hostCommand), endpoint: undefined, tokenFile: undefined }
  : { ...(given(endpoint) ? { mode: undefined, endpoint: given(endpoint) } : {}), ...(given(hostTokenFile) ? { tokenFile: given(hostTokenFile) } : {}) });

const createContract = (channel) => defineChannelSetupContract({
  fields: {
    endpoint: { kind: 'string', cli: { flags: '--endpoint <address>', description: 'Where the ChannelBridge host listens (default: the socket in ~/.channelbridge)' } },
    hostTokenFile: { kind: 'string', cli: { flags: '--host-token-file <path>', description: "The host's token file (default: the file token beside the socket)" } },
    hostCommand: { kind: 'string', cli: { flags: '--host-command <path>', description: 'Managed mode: the host that the gateway starts, an absolute path' } },
    dmPolicy: { kind: 'choice', choices: POLICIES, cli: { flags: '--dm-policy <policy>', description: 'Who may write in private: pairing, allowlist, open or disabled' } },
    allowFrom: { kind: 'string-list', cli: { flags: '--allow-from <senders>', description: 'Allowed senders as the channel names them, separated by commas' } },
  },
  adapter: {
    // The root is an account of its own; named accounts stand beside it.
    configPromotion: 'preserve-root',
    singleAccountKeysToMove: [],
    resolveAccountId: ({ cfg, accountId }) => accountName(channel, cfg, accountId),
    validateInput: ({ cfg, input }) => problemOf(cfg, hostPatch(input)),
    applyAccountName: ({ cfg, accountId, name }) => (given(name) ? patchChannel(channel, cfg, accountId, { name: given(name) }) : cfg),
    applyAccountConfig: ({ cfg, accountId, input }) => patchPlugin(
      patchChannel(channel, cfg, accountId, {
        ...(given(input.name) ? { name: given(input.name) } : {}),
        ...policyPatch(resolveAccount(channel, cfg, accountId), input.dmPolicy, input.allowFrom),
      }),
      hostPatch(input),
    ),
  },
});

const hostInput = (channel, inputKey, settingKey, message, placeholder, help, shouldPrompt) => ({
  inputKey,
  message,
  placeholder,
  required: false,
  helpTitle: message,
  helpLines: help,
  currentValue: ({ cfg }) => pluginConfig(cfg)[settingKey],
  shouldPrompt,
  validate: ({ value, cfg }) => (given(value) ? (problemOf(cfg, hostPatch({ [inputKey]: value })) ?? undefined) : undefined),
  normalizeValue: ({ value }) => value.trim(),
  applySet: ({ cfg, value }) => patchPlugin(patchChannel(channel, cfg, undefined, {}), hostPatch({ [inputKey]: value })),
});

/** What the gateway asks to set a channel up, by its command line and by its wizard. */
export const createSetup = (channel) => ({ setupContract: createContract(channel), setupWizard: createWizard(channel) });

function createWizard(channel) {
  const { label } = channelInfo(channel);
  const root = `channels.${channel}`;
  return {
    channel,
    status: {
      configuredLabel: 'configured',
      unconfiguredLabel: 'not configured',
      configuredHint: 'through the ChannelBridge host',
      unconfiguredHint: 'needs the ChannelBridge host',
      resolveConfigured: ({ cfg }) => cfg.channels?.[channel] !== undefined,
      resolveStatusLines: ({ cfg, accountId, configured }) => {
        if (!configured) return [`${label}: not configured`];
        const problem = problemOf(cfg, {});
        return [`${label}: configured, direct messages: ${resolveAccount(channel, cfg, accountId).dmPolicy}`, ...(problem ? [`${label}: ${problem}`] : [])];
      },
    },
    introNote: {
      title: 'ChannelBridge',
      lines: [
        'The ChannelBridge host keeps the messages of its channels until they are answered and delivered.',
        'Start the host first (channelbridge serve): it makes its socket and its token in ~/.channelbridge. Leave the questions empty for that.',
      ],
    },
    credentials: [],
    textInputs: [
      hostInput(channel, 'endpoint', 'endpoint', 'Where the host listens', 'unix:/home/me/.channelbridge/channelbridge.sock', [
        'unix:/PATH/channelbridge.sock on this machine, wss://HOST/rpc on another one; empty for the default.',
      ], ({ cfg }) => pluginConfig(cfg).mode !== 'managed'),
      hostInput(channel, 'hostTokenFile', 'tokenFile', "The host's token file", '/home/me/.channelbridge/token', [
        "The file token in the host's data folder. Empty: the file beside the socket.",
      ], ({ cfg }) => /^wss?:/.test(pluginConfig(cfg).endpoint ?? '')),
    ],
    dmPolicy: {
      label,
      channel,
      policyKey: `${root}.dmPolicy`,
      allowFromKey: `${root}.allowFrom`,
      resolveConfigKeys: (cfg, accountId) => {
        const name = accountName(channel, cfg, accountId);
        const at = name === defaultAccount(channel) ? root : `${root}.accounts.${name}`;
        return { policyKey: `${at}.dmPolicy`, allowFromKey: `${at}.allowFrom` };
      },
      getCurrent: (cfg, accountId) => resolveAccount(channel, cfg, accountId).dmPolicy,
      setPolicy: (cfg, policy, accountId) => patchChannel(channel, cfg, accountId, policyPatch(resolveAccount(channel, cfg, accountId), policy)),
    },
    completionNote: {
      title: 'Next',
      lines: [
        `Strangers get a code: openclaw pairing approve ${channel} CODE.`,
        `The channel's own settings are the host's. openclaw channels status shows whether the host is connected, and who is connected to it.`,
      ],
    },
    disable: (cfg) => ({ ...cfg, channels: { ...cfg.channels, [channel]: { ...cfg.channels?.[channel], enabled: false } } }),
  };
}
