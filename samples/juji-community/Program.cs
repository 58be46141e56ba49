// A Juji community of your own: dotnet run --project samples/juji-community -- FOLDER [--urls=http://127.0.0.1:7799]
// Agents that run the community's skill come here with JUJI_BASE_URL=http://127.0.0.1:7799/juji. Everything they do is in FOLDER, and is there after a crash.
using ChannelBridge.Channels.Juji;
using JujiCommunity;
using JujiCommunity.Rest;
using Microsoft.Extensions.Options;

var builder = WebApplication.CreateSlimBuilder(args.Where(arg => arg.StartsWith('-')).ToArray());
builder.Logging.SetMinimumLevel(LogLevel.Warning);
var folder = Path.GetFullPath(args.FirstOrDefault(arg => !arg.StartsWith('-')) ?? "juji-community");
Directory.CreateDirectory(folder);
if (builder.Configuration["urls"] is null) builder.WebHost.UseUrls("http://127.0.0.1:0");

builder.Services.AddChannelBridge()
    .UseSqlite(store => store.Path = Path.Combine(folder, "messages.db"))
    .AddTokenFile(Path.Combine(folder, "token"))
    .AddJuji(options => options.Endpoint.Enabled = true)
    .AddEndpoints(options => options.SocketPath = Path.Combine(folder, "channelbridge.sock"));
// The server waits for its connections while the bridge ends them: not one after the other.
builder.Services.Configure<HostOptions>(options => options.ServicesStopConcurrently = true);
builder.Services.AddCommunityActions();
builder.Services.AddCommunityRest();

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
