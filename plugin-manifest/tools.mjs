// The tools that the host offers to the gateway's agent: names and parameters stand in the package because the gateway asks for them before
// there is a link;
// what they do, and what they may, is the host's business. A tool that the host doesn't have (InstaClaw isn't configured) isn't offered.
import { liveBridge } from './bridge.mjs';
import { TOOLS } from './manifest.mjs';

const TIMEOUT_MS = 330_000;
/** Registers every tool. */
export function registerTools(api) {
  for (const [name, { label, description, parameters }] of Object.entries(TOOLS)) {
    api.registerTool((context) => {
      if (!isOffered(name)) return null;
      return { name, label, description, parameters, execute: (_id, params, signal) => run(name, params, context?.sessionKey, signal) };
    }, { name });
  }
}

/** While the host isn't known (the gateway only lists tools, or the link isn't up yet) they are offered; the host has the last word. */
function isOffered(name) {
  const { link } = liveBridge();
  return link?.connected !== true || link.state.features.includes(`tool:${name}`);
}

async function run(name, params, sessionKey, signal) {
  const { link } = liveBridge();
  if (!link) throw new Error('The ChannelBridge host is not connected; try again shortly.');
  const details = await link.request('link.tool', { name, arguments: params ?? {}, sessionKey }, { timeoutMs: TIMEOUT_MS, signal });
  return { content: [{ type: 'text', text: JSON.stringify(details) }], details };
}
