// What the package says of itself: its channels, its version, what the host offers through it, and the hash by which the host tells whether
// it is
// the package that belongs to it. A package with more channels differs in openclaw.plugin.json and offers.json alone; no code names a
// channel.
import { createHash } from 'node:crypto';
import fs from 'node:fs';

const FOLDER = new URL('./', import.meta.url);
const read = (name) => fs.readFileSync(new URL(name, FOLDER));
const manifest = JSON.parse(read('../openclaw.plugin.json'));

export const PLUGIN_ID = manifest.id;
export const VERSION = manifest.version;

/** The channels that the gateway has by this plugin, as the manifest names them. */
export const CHANNELS = manifest.channels;

/** The one under which everything runs that belongs to none of them. */
export const FIRST_CHANNEL = CHANNELS[0];

export const isOwnChannel = (channel) => CHANNELS.includes(channel);

/** The methods (name → scope) and the agent's tools (name → label, description, parameters) that the host has, and the names that have a health route. */
export const { methods: METHODS, tools: TOOLS, health: HEALTH = [] } = JSON.parse(read('offers.json'));

/** How a channel is shown, from its entry in the manifest. */
export function channelInfo(channel) {
  const { label = channel, description = '', uiHints = {} } = manifest.channelConfigs[channel] ?? {};
  return {
    label,
    description,
    /** The account that always exists and that the channel's root describes; the hint of `accounts` names it. */
    defaultAccount: uiHints.accounts?.placeholder ?? 'default',
    /** How a target is written, for those who have to write one. */
    targetHint: uiHints.allowFrom?.placeholder ?? 'a target of the channel',
  };
}

/**
 * SHA-256 over the names and contents of the manifest and of everything in this folder, in the order of their names. The host computes the
 * same of
 * what it was built with (PluginPackage.cs).
 */
export function packageHash() {
  const names = fs.readdirSync(FOLDER).filter((name) => /\.(mjs|json)$/.test(name)).map((name) => `plugin-manifest/${name}`);
  const hash = createHash('sha256');
  for (const name of ['openclaw.plugin.json', ...names].sort()) {
    hash.update(`${name}\n${createHash('sha256').update(read(`../${name}`)).digest('hex')}\n`);
  }
  return hash.digest('hex');
}
