using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Messaging;
using FolderSample;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>A host of one's own with a channel of one's own, as a C# developer puts it together, a real gateway, and a model.</summary>
public sealed class ChannelLab : IAsyncLifetime
{
    private WebApplication? _host;

    public FakeModel Model { get; private set; } = null!;

    public GatewayProcess Gateway { get; private set; } = null!;

    public LabChannel Channel => _host!.Services.GetRequiredService<LabChannel>();

    /// <summary>The folder of the sample's channel, whose messages the gateway's agent answers.</summary>
    public string Letters { get; private set; } = "";

    public INotifier Notifier => _host!.Services.GetRequiredService<INotifier>();

    /// <summary>Words into sessions of the gateway that it hasn't taken yet.</summary>
    public long PendingNotices => _host!.Services.GetRequiredService<IOutbox>().GetBacklog("openclaw", "sessions").Pending;

    public async Task InitializeAsync()
    {
        if (OpenClawInstallation.Missing is not null) return;
        Model = await FakeModel.StartAsync();
        var state = Scratch.NewFolder("cbchannels");
        var data = Directory.CreateDirectory(Path.Combine(state, "host")).FullName;
        await StartHostAsync(data);
        Gateway = GatewayProcess.Configure(
            state,
            Model.Port,
            InteropLab.CopyPlugin(state),
            new JsonObject { ["dataDirectory"] = data },
            new JsonObject { ["enabled"] = true, ["dmPolicy"] = "open", ["allowFrom"] = new JsonArray("*") });
        await Gateway.StartAsync();
    }

    public async Task DisposeAsync()
    {
        if (Gateway is not null) await Gateway.DisposeAsync();
        if (_host is not null)
        {
            await _host.StopAsync();
            await _host.DisposeAsync();
        }

        if (Model is not null) await Model.DisposeAsync();
    }

    private async Task StartHostAsync(string data)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddChannelBridge(options => options.DelayNotice = TimeSpan.Zero)
            .UseSqlite(store => store.Path = Path.Combine(data, "messages.db"))
            .AddTokenFile(Path.Combine(data, "token"))
            .AddOpenClaw()
            .AddChannel<LabChannel>()
            .AddChannel<FolderChannel, FolderOptions>(FolderOptions.Settings, options =>
            {
                options.Path = Letters = Path.Combine(data, "letters");
                options.Agent = "openclaw";
            })
            .AddEndpoints(options => options.SocketPath = Path.Combine(data, "channelbridge.sock"));
        _host = builder.Build();
        _host.MapChannelBridge();
        await _host.StartAsync();
    }
}
