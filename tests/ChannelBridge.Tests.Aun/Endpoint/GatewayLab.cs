using System.Net;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Aun.Endpoint;

/// <summary>A whole host on loopback with the AUN endpoint: SQLite, the durable core, the doors, the agent echo.</summary>
internal sealed class GatewayLab : IAsyncDisposable
{
    public const string Issuer = "agentid.pub";
    public const string Bot = "bot.agentid.pub";

    private readonly WebApplication _app;

    private GatewayLab(WebApplication app, Uri url, string folder)
    {
        _app = app;
        Url = url;
        Folder = folder;
    }

    /// <summary>Where the host listens.</summary>
    public Uri Url { get; }

    /// <summary>Its data.</summary>
    public string Folder { get; }

    /// <summary>The gateway's WebSocket.</summary>
    public Uri Gateway => new UriBuilder(Url) { Scheme = "ws", Path = "/aun" }.Uri;

    /// <summary>The store.</summary>
    public IRecords Records => _app.Services.GetRequiredService<IRecords>();

    /// <summary>The container.</summary>
    public IServiceProvider Services => _app.Services;

    public static async Task<GatewayLab> StartAsync(Action<AunOptions>? configure = null, TimeProvider? time = null, string? folder = null)
    {
        folder ??= Scratch.NewFolder("aun");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        if (time is not null) builder.Services.AddSingleton(time);
        builder.Services.AddChannelBridge()
            .UseSqlite(store => store.Path = Path.Combine(folder, "messages.db"))
            .AddTokenFile(Path.Combine(folder, "token"))
            .AddAun(options =>
            {
                options.Issuers = [Issuer];
                options.PkiFolder = Path.Combine(folder, "pki");
                options.ChallengeDelay = TimeSpan.Zero;
                configure?.Invoke(options);
            })
            .AddEndpoints(_ => { });
        var app = builder.Build();
        app.MapChannelBridge();
        await app.StartAsync();
        var url = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return new GatewayLab(app, url, folder);
    }

    /// <summary>An identity that is registered and logged in.</summary>
    public async Task<TestAgent> AgentAsync(string name)
    {
        var agent = new TestAgent(Gateway, $"{name}.{Issuer}");
        await agent.CreateAsync();
        await agent.LoginAsync();
        return agent;
    }

    /// <summary>A connection that nobody has authenticated on.</summary>
    public Task<TestLine> LineAsync() => TestLine.OpenAsync(Gateway);

    /// <summary>What is answered over HTTP.</summary>
    public async Task<(HttpStatusCode Status, string Text)> GetAsync(string path)
    {
        using var http = new HttpClient();
        using var answer = await http.GetAsync(new Uri(Url, path));
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
