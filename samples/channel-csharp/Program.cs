// A host of your own with a channel of your own: dotnet run --project samples/channel-csharp -- FOLDER
// Put a text into FOLDER/in/alice.txt; the echo agent's answer appears in FOLDER/out.
using FolderSample;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

var folder = Path.GetFullPath(args.Length > 0 ? args[0] : "folder-channel");
Directory.CreateDirectory(folder);
var builder = Host.CreateApplicationBuilder();
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.Services.AddSingleton(new FolderOptions(folder));
builder.Services.AddChannelBridge()
    .UseSqlite(store => store.Path = Path.Combine(folder, "messages.db"))
    .AddChannel<FolderChannel>();

// The host starts and stops everything in the order that loses nothing.
using var host = builder.Build();
await host.StartAsync();
Console.WriteLine("ready");
await host.WaitForShutdownAsync();
