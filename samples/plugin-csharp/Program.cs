// The channel of samples/channel-csharp as a plugin: build it, then "channelbridge plugins install samples/plugin-csharp/bin/Debug/net10.0".
using ChannelBridge.Plugins.Sdk;
using FolderSample;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

return await PluginProgram.RunAsync(args, plugin =>
{
    plugin.Services.AddSingleton(services => Options.Create(new FolderOptions { Path = services.GetRequiredService<PluginFolders>().Data }));
    plugin.AddChannel<FolderChannel>();
});
