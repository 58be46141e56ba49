// What OpenClaw loads. It registers the channel, the gateway methods and the service that keeps the link to the ChannelBridge host;
// everything durable and every decision lives in the host (.NET) or in the gateway.
import { defineChannelPluginEntry } from 'openclaw/plugin-sdk/channel-core';
import { channelPlugin } from './channel.mjs';
import { registerMethods } from './methods.mjs';
import { createService } from './service.mjs';
import { registerTools } from './tools.mjs';

export default defineChannelPluginEntry({
  id: 'channelbridge',
  name: 'ChannelBridge',
  description: 'Connects chat bridges to OpenClaw through the ChannelBridge host.',
  plugin: channelPlugin,
  registerFull(api) {
    registerTools(api);
    if (api.registrationMode !== 'full') return; // also called to list tools: nothing live then
    registerMethods(api);
    api.registerService(createService({ runtime: api.runtime, pluginConfig: api.pluginConfig ?? {}, logger: api.logger }));
  },
});
