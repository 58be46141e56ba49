using ChannelBridge.Plugins.Sdk;
using MyChat;

return await PluginProgram.RunAsync(args, plugin => plugin.AddSettings(MyChatJson.Default.MyChatSettings).AddChannel<MyChatChannel>());
