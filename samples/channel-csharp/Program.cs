// A host of your own with a channel of your own: dotnet run --project samples/channel-csharp -- FOLDER
// Put a text into FOLDER/in/alice.txt; the echo agent's answer appears in FOLDER/out.
using FolderSample;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

// Settings come from appsettings.json, the environment (Channels__Folder__Agent=…) and the command line (--Channels:Folder:Settled=2s).
var builder = Host.CreateApplicationBuilder(args.Where(arg => arg.StartsWith('-')).ToArray());
builder.Logging.SetMinimumLevel(LogLevel.Warning);
var folder = Path.GetFullPath(args.FirstOrDefault(arg => !arg.StartsWith('-')) ?? builder.Configuration["Channels:Folder:Path"] ?? "folder-channel");
Directory.CreateDirectory(folder);
builder.Services.AddChannelBridge()
    .UseSqlite(store => store.Path = Path.Combine(folder, "messages.db"))
    .AddChannel<FolderChannel, FolderOptions>(FolderOptions.Settings, options => options.Path = folder);

// The host starts and stops everything in the order that loses nothing.
using var host = builder.Build();
await host.StartAsync();
Console.WriteLine("ready");
await host.WaitForShutdownAsync();
