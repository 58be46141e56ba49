// What OpenClaw loads while none of the channels is configured: the channel objects alone. The gateway's helper for such an entry knows one
// channel,
// so this is an entry like the other one, which registers nothing else.
import { createChannel } from './channel.mjs';
import { CHANNELS, PLUGIN_ID } from './manifest.mjs';

export default {
  id: PLUGIN_ID,
  name: 'ChannelBridge',
  description: 'Connects chat bridges to OpenClaw through the ChannelBridge host.',
  register(api) {
    for (const plugin of CHANNELS.map(createChannel)) api.registerChannel({ plugin });
  },
};
