// What the parts of the entry share while the gateway runs: the plugin's runtime, the link, and a way to reach gateway clients.
// One object a module evaluation; only the evaluation that the gateway registers in full fills it.

export const bridge = {
  /** The plugin runtime of the full registration. */
  runtime: null,
  /** What the gateway lets a plugin do with its sessions (link.notify); of the full registration. */
  workflow: null,
  /** The HostLink, or null before the service has started. */
  link: null,
  /** The ManagedHost, or null: in connect mode the host is a service of its own. */
  host: null,
  /** A gateway request context: pushes to connections go through it. Kept from the latest request. */
  context: null,
  /** What the host said last about its accounts (link.status), by channel and account (accountKey). */
  hostAccounts: new Map(),
  /** Tells the host the accounts anew, after their settings have changed. */
  tellAccounts() {},
  /** status sinks of started accounts, by channel and account (accountKey). */
  accountSinks: new Map(),
  logger: { debug() {}, info() {}, warn() {}, error() {} },
};

/** The gateway's configuration now. */
export const currentConfig = () => bridge.runtime.config.current();

// The gateway evaluates the entry a second time to list tools, and calls the tools of that evaluation, whose bridge nobody fills. The live
// one is
// found where all evaluations of a process look.
const LIVE = Symbol.for('channelbridge.bridge');

/** This evaluation's bridge is the live one. */
export const publishBridge = () => { globalThis[LIVE] = bridge; };

/** The live bridge; this evaluation's own while there is none. */
export const liveBridge = () => globalThis[LIVE] ?? bridge;
