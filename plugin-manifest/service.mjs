// The service that owns the link: it starts with the gateway (also when the gateway has suppressed channel accounts after unclean
// starts), connects to the host, and says hello with what the host needs to know of the gateway. In managed mode it starts the host, too.
import { randomUUID } from 'node:crypto';
import { listAccountIds, resolveAccount } from './accounts.mjs';
import { bridge, currentConfig, publishBridge } from './bridge.mjs';
import { flushKept } from './delivery.mjs';
import { HostLink } from './link.mjs';
import { CHANNELS, METHODS, packageHash, PLUGIN_ID, TOOLS, VERSION } from './manifest.mjs';
import { takePiece } from './media.mjs';
import { announceConnections, push } from './methods.mjs';
import { notify } from './notify.mjs';
import { admit } from './policy.mjs';
import { readToken, resolveSettings } from './settings.mjs';
import { refreshStatus, startStatus, stopStatus } from './status.mjs';
import { cancelTurn, startTurn } from './turn.mjs';

export function createService({ runtime, workflow, pluginConfig, logger }) {
  const instanceId = randomUUID();
  const packaged = packageHash();
  return {
    id: `${PLUGIN_ID}-link`,
    async start() {
      const settings = resolveSettings(pluginConfig);
      bridge.runtime = runtime;
      bridge.workflow = workflow;
      bridge.logger = logger;
      publishBridge();
      bridge.link = new HostLink({
        endpoint: settings.endpoint,
        logger,
        why: () => bridge.host?.problem ?? null,
        hello: async () => ({
          token: await readToken(settings.tokenFile),
          instanceId,
          gatewayVersion: runtime.version,
          pluginVersion: VERSION,
          package: packaged,
          channels: CHANNELS,
          methods: Object.keys(METHODS),
          tools: Object.keys(TOOLS),
          accounts: describeAccounts(),
        }),
        handlers: {
          'link.turn': startTurn,
          'link.cancelTurn': cancelTurn,
          'link.push': push,
          'link.media': takePiece,
          'link.admit': admit,
          'link.notify': notify,
        },
        onUp: () => void whenUp(),
        onDown: () => void refreshStatus(),
      });
      bridge.tellAccounts = () => {
        if (bridge.link?.connected) bridge.link.notify('link.accounts', { accounts: describeAccounts() });
      };
      bridge.link.start();
      startStatus();
      if (settings.managed) await startHost(settings.managed, logger);
    },
    async stop() {
      stopStatus();
      bridge.link?.stop();
      bridge.link = null;
      bridge.tellAccounts = () => {};
      const { host } = bridge;
      bridge.host = null;
      await host?.stop();
    },
  };
}

/** One host, however many accounts there are: the service owns it. */
async function startHost(managed, logger) {
  const { ManagedHost } = await import('./managed.mjs');
  if (!bridge.link || bridge.host) return; // stopped, or started twice, meanwhile
  bridge.host = new ManagedHost({ ...managed, logger, onRunning: () => bridge.link?.hurry(), isNeeded: () => bridge.link?.connected !== true });
  await bridge.host.start();
}

async function whenUp() {
  await announceConnections();
  await flushKept();
  await refreshStatus();
}

/** The accounts of all channels, with what the host must know of them. */
function describeAccounts() {
  const cfg = currentConfig();
  return CHANNELS.flatMap((channel) => listAccountIds(channel, cfg).map((accountId) => {
    const { name, enabled, configured, outboundRequireAck, restartNotice } = resolveAccount(channel, cfg, accountId);
    const { agentId } = bridge.runtime.channel.routing.resolveAgentRoute({ cfg, channel, accountId });
    return { channel, accountId, name, enabled, configured, agentId, outboundRequireAck, restartNotice };
  }));
}
