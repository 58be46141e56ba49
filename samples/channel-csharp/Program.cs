// A host of your own with a channel of your own: dotnet run --project samples/channel-csharp -- FOLDER [--urls=http://127.0.0.1:7799] [--Channels:Folder:Agent=openclaw]
// Put a text into FOLDER/in/alice.txt, or post it to /folder/alice with the token of FOLDER/token; the agent's answer appears in FOLDER/out and at /folder/alice/events.
using FolderSample;
using Microsoft.Extensions.Options;

// Settings come from appsettings.json, the environment (Channels__Folder__Agent=…) and the command line (--Channels:Folder:Settled=2s).
var builder = WebApplication.CreateSlimBuilder(args.Where(arg => arg.StartsWith('-')).ToArray());
builder.Logging.SetMinimumLevel(LogLevel.Warning);
var folder = Path.GetFullPath(args.FirstOrDefault(arg => !arg.StartsWith('-')) ?? builder.Configuration["Channels:Folder:Path"] ?? "folder-channel");
Directory.CreateDirectory(folder);
if (builder.Configuration["urls"] is null) builder.WebHost.UseUrls("http://127.0.0.1:0");

// Who may come in: one token with every right, in a file that its owner reads, made at the first start. The OpenClaw plugin takes it and the socket
// from here, too (its dataDirectory is FOLDER).
builder.Services.AddChannelBridge()
    .UseSqlite(store => store.Path = Path.Combine(folder, "messages.db"))
    .AddTokenFile(Path.Combine(folder, "token"))
    .AddOpenClaw()
    .AddChannel<FolderChannel, FolderOptions>(FolderOptions.Settings, options => options.Path = folder)
    .AddEndpoints(options => options.SocketPath = Path.Combine(folder, "channelbridge.sock"));

// The host starts and stops everything in the order that loses nothing.
await using var host = builder.Build();
host.MapChannelBridge();
try
{
    await host.StartAsync();
}
catch (OptionsValidationException wrong)
{
    foreach (var fault in wrong.Failures) Console.Error.WriteLine(fault);
    return 3;
}

Console.WriteLine("ready");
Console.WriteLine(host.Urls.First());
await host.WaitForShutdownAsync();
return 0;
