// The service that owns the link: it starts with the gateway (also when the gateway has suppressed channel accounts after unclean
// starts), connects to the host, and says hello with what the host needs to know of the gateway. In managed mode it starts the host, too.
import { randomUUID } from 'node:crypto';
import { CHANNEL, listAccountIds, resolveAccount } from './accounts.mjs';
import { bridge, currentConfig, publishBridge } from './bridge.mjs';
import { flushKept } from './delivery.mjs';
import { HostLink } from './link.mjs';
import { takePiece } from './media.mjs';
import { announceConnections, push } from './methods.mjs';
import { admit } from './policy.mjs';
import { readToken, resolveSettings } from './settings.mjs';
import { refreshStatus, startStatus, stopStatus } from './status.mjs';
import { cancelTurn, startTurn } from './turn.mjs';

const VERSION = '0.1.0';

export function createService({ runtime, pluginConfig, logger }) {
  const instanceId = randomUUID();
  return {
    id: 'channelbridge-link',
    async start() {
      const settings = resolveSettings(pluginConfig);
      bridge.runtime = runtime;
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
          accounts: describeAccounts(),
        }),
        handlers: {
          'link.turn': startTurn,
          'link.cancelTurn': cancelTurn,
          'link.push': push,
          'link.media': takePiece,
          'link.admit': admit,
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

/** The accounts with what the host must know of them. */
function describeAccounts() {
  const cfg = currentConfig();
  return listAccountIds(cfg).map((accountId) => {
    const account = resolveAccount(cfg, accountId);
    const route = bridge.runtime.channel.routing.resolveAgentRoute({ cfg, channel: CHANNEL, accountId });
    return { channel: CHANNEL, accountId, name: account.name, enabled: account.enabled, agentId: route.agentId, outboundRequireAck: account.outboundRequireAck };
  });
}
