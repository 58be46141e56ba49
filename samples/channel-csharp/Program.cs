// A host of your own with a channel of your own: dotnet run --project samples/channel-csharp -- FOLDER
// Put a text into FOLDER/in/alice.txt; the echo agent's answer appears in FOLDER/out.
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging;
using FolderSample;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

var folder = Path.GetFullPath(args.Length > 0 ? args[0] : "folder-channel");
Directory.CreateDirectory(folder);
var services = new ServiceCollection();
services.AddLogging(logging => logging.AddSimpleConsole().SetMinimumLevel(LogLevel.Warning));
services.AddChannelBridgeCore();
services.AddSqliteStore(store => store.Path = Path.Combine(folder, "messages.db"));
services.AddSingleton(provider => new FolderChannel(folder, provider.GetRequiredService<IInbox>(), provider.GetRequiredService<IOutbox>()));
await using var provider = services.BuildServiceProvider();

// The order that loses nothing: the store first, then the core, then whatever brings messages; and back again.
var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, signal) =>
{
    signal.Cancel = true;
    stop.Cancel();
};
await using var messages = provider.GetRequiredService<IStore>();
await messages.OpenAsync(CancellationToken.None);
var core = provider.GetRequiredService<MessagingService>();
var channel = provider.GetRequiredService<FolderChannel>();
await core.StartAsync(CancellationToken.None);
await channel.StartAsync(CancellationToken.None);
Console.WriteLine("ready");
await Task.Delay(Timeout.Infinite, stop.Token).ContinueWith(_ => { }, TaskScheduler.Default);
await channel.StopAsync(CancellationToken.None);
await core.StopAsync();
