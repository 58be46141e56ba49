// What `openclaw status` shows of an account: three kinds of health, apart. Transport: is the host connected, is a bridge connected
// to it. Inbound: when the last message came. Backlog: answers that wait for a bridge, and dead letters.
import { accountKey } from './accounts.mjs';
import { bridge } from './bridge.mjs';
import { keptAnswers } from './delivery.mjs';
import { activeTurns } from './turn.mjs';

const REFRESH_MS = 5_000;
let timer = null;

/** One account as the gateway shows it. `linked` stays true: the core would call a false one "stopped". */
export function buildAccountSnapshot({ account, runtime }) {
  const link = bridge.link?.state;
  const host = bridge.hostAccounts.get(accountKey(account.channel, account.accountId));
  const hostUp = link?.connected === true;
  return {
    ...runtime,
    accountId: account.accountId,
    name: account.name,
    enabled: account.enabled,
    configured: account.configured,
    linked: true,
    running: account.enabled && (runtime?.running ?? bridge.link !== null),
    // The gateway restarts accounts that aren't connected; a bridge that is away is no reason for that, so this is the host's state.
    connected: hostUp,
    lifecycle: !account.enabled ? 'stopped' : hostUp ? 'ready' : bridge.link ? 'recovering' : (runtime?.lifecycle ?? 'starting'),
    lastConnectedAt: link?.lastConnectedAt ?? null,
    lastDisconnect: link?.lastDisconnectAt ? { at: link.lastDisconnectAt, error: link.lastError ?? undefined } : null,
    lastError: hostUp ? null : (bridge.host?.problem ?? link?.lastError ?? null),
    reconnectAttempts: link?.reconnectAttempts ?? 0,
    lastInboundAt: host?.lastInboundAt ?? null,
    lastOutboundAt: host?.lastOutboundAt ?? null,
    lastEventAt: host?.lastActivityAt ?? null,
    activeRuns: activeTurns(),
    dmPolicy: account.dmPolicy,
    allowFrom: account.allowFrom,
    // The words of the channel that this one takes the place of: linked, or configured and away.
    mode: hostUp && host?.connected === true ? 'linked' : 'configured',
    lastSessionKey: host?.lastSessionKey ?? null,
    lastSessionScope: host?.lastSessionScope ?? null,
    lastSessionAt: host?.lastSessionAt ?? null,
    diagnostics: diagnosticsOf(hostUp, host),
    statusState: hostUp ? (host?.connected ? 'bridge connected' : 'no bridge connected') : 'host away',
    // Not of the core's own fields, shown in --json: the three kinds of health.
    health: {
      transport: {
        host: hostUp,
        managed: bridge.host?.state.status ?? null,
        hostVersion: link?.hostVersion ?? null,
        package: link?.package ?? null,
        bridge: host?.connected === true,
        connections: host?.activeConnections ?? 0,
      },
      inbound: { lastAt: host?.lastInboundAt ?? null },
      backlog: { pending: host?.pending ?? null, deadLetter: host?.deadLetter ?? null, waitingForHost: keptAnswers() },
    },
  };
}

/** One line, and the numbers behind it. */
function diagnosticsOf(hostUp, host) {
  const { pending = 0, deadLetter = 0, activeConnections = 0 } = host ?? {};
  return { summary: `diag:${hostUp ? 'ok' : 'host-away'} p:${pending} d:${deadLetter} c:${activeConnections}`, pending, deadLetter, activeConnections };
}

const fixOf = ({ transport }) => (transport.managed
  ? 'The gateway\'s log has what the host said; plugins.entries.channelbridge.config.command names it.'
  : 'Start the host, or correct plugins.entries.channelbridge.config.endpoint.');

/** Warnings of `openclaw channels status`. */
export function collectStatusIssues(channel, accounts) {
  const issues = [];
  const issue = (accountId, message, fix) => issues.push({ channel, accountId, kind: 'runtime', message, fix });
  for (const { accountId, enabled, health, lastError } of accounts) {
    if (enabled === false || !health) continue;
    if (!health.transport.host) issue(accountId, `The ChannelBridge host is not connected (${lastError ?? 'no link yet'}).`, fixOf(health));
    if (health.transport.package === 'other') {
      issue(accountId, 'The installed plugin package is not the one that belongs to the host.', 'Install the package of the host\'s version, then restart the gateway.');
    }
    if (health.backlog.deadLetter > 0) issue(accountId, `${health.backlog.deadLetter} dead letters.`, 'Look at them with channelbridge dead-letters list.');
  }
  return issues;
}

/** The channel's summary line. */
export function buildChannelSummary({ snapshot }) {
  return {
    configured: snapshot.configured ?? false,
    running: snapshot.running ?? false,
    connected: snapshot.connected ?? false,
    lastError: snapshot.lastError ?? null,
    health: snapshot.health ?? null,
  };
}

/** Asks the host now and then while it is connected, and tells the started accounts. */
export function startStatus() {
  stopStatus();
  timer = setInterval(refreshStatus, REFRESH_MS);
}

export function stopStatus() {
  clearInterval(timer);
  timer = null;
}

export async function refreshStatus() {
  if (bridge.link?.connected) {
    try {
      const { accounts = [] } = await bridge.link.request('link.status', {}, { timeoutMs: REFRESH_MS });
      bridge.hostAccounts = new Map(accounts.map((account) => [accountKey(account.channel, account.accountId), account]));
    } catch (error) {
      bridge.logger.debug?.(`link.status failed: ${error.message}`);
    }
  }
  for (const tell of bridge.accountSinks.values()) tell();
}
