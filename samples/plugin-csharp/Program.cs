// The channel of samples/channel-csharp as a plugin: build it, then "channelbridge plugins install samples/plugin-csharp/bin/Debug/net10.0".
using ChannelBridge.Plugins.Sdk;
using FolderSample;
using Microsoft.Extensions.DependencyInjection;

return await PluginProgram.RunAsync(args, plugin =>
{
    plugin.Services.AddSingleton(services => new FolderOptions(services.GetRequiredService<PluginFolders>().Data));
    plugin.AddChannel<FolderChannel>();
});
