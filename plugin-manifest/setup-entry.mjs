// What OpenClaw loads while the channel is disabled or not configured: the channel object alone.
import { defineSetupPluginEntry } from 'openclaw/plugin-sdk/channel-core';
import { channelPlugin } from './channel.mjs';

export default defineSetupPluginEntry(channelPlugin);
