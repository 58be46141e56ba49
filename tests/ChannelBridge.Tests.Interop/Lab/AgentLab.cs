using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Channels.Aun;
using ChannelBridge.Core.Access;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>The parts of a host in this process, linked to a real gateway, so that a test can call its agents directly.</summary>
public sealed class AgentLab : IAsyncLifetime
{
    /// <summary>The AID of the gateway's agent at this host's AUN endpoint.</summary>
    public const string Aid = "bot.agentid.pub";

    private const string Token = "agent-lab-token-0123456789";
    private WebApplication? _app;

    public FakeModel Model { get; private set; } = null!;

    public GatewayProcess Gateway { get; private set; } = null!;

    /// <summary>Where the host listens.</summary>
    public string Url => _app!.Urls.First();

    /// <summary>The agent behind the link.</summary>
    public IAgent OpenClaw { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (OpenClawInstallation.Missing is { } reason)
        {
            if (OpenClawInstallation.InCi) throw new InvalidOperationException(reason);
            return;
        }

        Model = await FakeModel.StartAsync();
        var state = Scratch.NewFolder("cbagents");
        var socket = Path.Combine(state, "host.sock");
        await File.WriteAllTextAsync(Path.Combine(state, "token"), Token);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Configuration[$"Channels:Aun:Agents:{Aid}"] = "openclaw";
        builder.Configuration["Channels:Aun:PkiFolder"] = Path.Combine(state, "pki");
        builder.Services.AddSingleton<ITokenAuthority>(new TokenAuthority([AccessToken.FromToken("first", Token, Scopes.All)]));
        builder.Services.AddChannelBridge(options => options.DelayNotice = TimeSpan.Zero)
            .UseSqlite(options => options.Path = Path.Combine(state, "host.db"))
            .AddOpenClaw()
            .AddAun()
            .AddEndpoints(options => options.SocketPath = socket);
        _app = builder.Build();
        _app.MapChannelBridge();
        await _app.StartAsync();
        OpenClaw = _app.Services.GetServices<IAgent>().Single(agent => agent.Name == "openclaw");
        Gateway = GatewayProcess.Configure(
            state,
            Model.Port,
            InteropLab.CopyPlugin(state),
            new JsonObject { ["endpoint"] = $"unix:{socket}" },
            new JsonObject { ["enabled"] = true, ["dmPolicy"] = "open", ["allowFrom"] = new JsonArray("*") },
            responses: true);
        await Gateway.StartAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await OpenClaw.WaitUntilAvailableAsync(patience.Token);
    }

    public async Task DisposeAsync()
    {
        if (Gateway is not null) await Gateway.DisposeAsync();
        if (_app is not null) await _app.DisposeAsync();
        if (Model is not null) await Model.DisposeAsync();
    }
}
