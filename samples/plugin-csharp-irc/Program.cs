// IRC as a plugin: build it, then "channelbridge plugins install samples/plugin-csharp-irc/bin/Debug/net10.0", with settings under Plugins:cbirc:Settings.
using ChannelBridge.Plugins.Sdk;
using IrcSample;

return await PluginProgram.RunAsync(args, plugin => plugin.AddSettings(IrcJson.Default.IrcSettings).AddChannel<IrcChannel>());
