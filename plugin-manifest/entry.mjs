// What OpenClaw loads. It registers the channels of the manifest, the gateway methods and the service that keeps the link to the
// ChannelBridge host;
// everything durable and every decision lives in the host (.NET) or in the gateway.
import { defineChannelPluginEntry } from 'openclaw/plugin-sdk/channel-core';
import { createChannel } from './channel.mjs';
import { registerHealth } from './health.mjs';
import { CHANNELS, PLUGIN_ID } from './manifest.mjs';
import { registerMethods } from './methods.mjs';
import { createService } from './service.mjs';
import { registerTools } from './tools.mjs';

const [first, ...others] = CHANNELS.map(createChannel);

const entry = defineChannelPluginEntry({
  id: PLUGIN_ID,
  name: 'ChannelBridge',
  description: 'Connects chat bridges to OpenClaw through the ChannelBridge host.',
  plugin: first,
  registerFull(api) {
    registerTools(api);
    if (api.registrationMode !== 'full') return; // also called to list tools: nothing live then
    registerMethods(api);
    registerHealth(api);
    api.registerService(createService({ runtime: api.runtime, workflow: api.session?.workflow, pluginConfig: api.pluginConfig ?? {}, logger: api.logger }));
  },
});

export default {
  ...entry,
  configSchema: entry.configSchema,
  register(api) {
    entry.register(api);
    // The helper knows one channel; the others are registered wherever it registers that one.
    if (api.registrationMode === 'cli-metadata' || api.registrationMode === 'tool-discovery') return;
    for (const plugin of others) api.registerChannel({ plugin });
  },
};
