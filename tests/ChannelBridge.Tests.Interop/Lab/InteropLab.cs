using System.Text.Json.Nodes;
using ChannelBridge.Tests.Integration;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>One gateway, one host and one model for all tests of the collection: starting a gateway takes long.</summary>
public sealed class InteropLab : IAsyncLifetime
{
    private const string HostUrl = "http://127.0.0.1:0";

    public FakeModel Model { get; private set; } = null!;

    public GatewayProcess Gateway { get; private set; } = null!;

    public HostProcess Host { get; private set; } = null!;

    private static string[] HostArguments => ["--agent", "openclaw"];

    public async Task InitializeAsync()
    {
        if (OpenClawInstallation.Missing is { } reason)
        {
            if (OpenClawInstallation.InCi) throw new InvalidOperationException(reason);
            return;
        }

        Model = await FakeModel.StartAsync();
        Host = await HostProcess.StartAsync(arguments: HostArguments, url: HostUrl);
        var state = Scratch.NewFolder("cbinterop");
        Gateway = GatewayProcess.Configure(
            state,
            Model.Port,
            CopyPlugin(state),
            new JsonObject { ["endpoint"] = $"unix:{Host.Socket}" },
            new JsonObject
            {
                ["enabled"] = true,
                ["dmPolicy"] = "open",
                ["allowFrom"] = new JsonArray("*"),
                ["groupPolicy"] = "open",
                ["accounts"] = new JsonObject
                {
                    ["Paired"] = new JsonObject { ["dmPolicy"] = "pairing", ["allowFrom"] = new JsonArray() },
                    ["Closed"] = new JsonObject { ["dmPolicy"] = "disabled" },
                    ["reloaded"] = new JsonObject { ["dmPolicy"] = "disabled" },
                    ["shop"] = new JsonObject(),
                },
            },
            commandOwner: "bncr:Bncr:interop:sofie");
        await Gateway.StartAsync();
    }

    public async Task DisposeAsync()
    {
        if (Gateway is not null) await Gateway.DisposeAsync();
        if (Host is not null) await Host.DisposeAsync();
        if (Model is not null) await Model.DisposeAsync();
    }

    /// <summary>A bridge on the gateway's door. A gateway that died in one test is started again for the next, so that one failure stays one.</summary>
    public async Task<BncrClient> BridgeAsync(string account = "Primary", bool acks = true)
    {
        if (!Gateway.Running) await Gateway.StartAsync();
        return await BncrClient.ConnectAsync(Gateway.Url, GatewayProcess.Token, account, acks);
    }

    /// <summary>kill −9 to the host.</summary>
    public Task KillHostAsync() => Host.KillAsync();

    /// <summary>The host again, on the same data.</summary>
    public async Task StartHostAsync() => Host = await HostProcess.StartAsync(Host.Data, HostArguments, HostUrl);

    /// <summary>Calls a method until its answer is good; a link that comes back needs its moment.</summary>
    public static async Task<JsonObject> EventuallyAsync(Func<Task<JsonObject>> call, Func<JsonObject, bool> good)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            var answer = await call();
            if (good(answer)) return answer;
            if (timeout.IsCancellationRequested) Assert.Fail($"not in 60 s; the last answer was {answer.ToJsonString()}");
            await Task.Delay(100, CancellationToken.None);
        }
    }

    /// <summary>Waits until something outside of our reach has happened; gives up after a minute.</summary>
    public static async Task UntilAsync(Func<bool> condition, string otherwise, TimeSpan? patience = null)
    {
        using var timeout = new CancellationTokenSource(patience ?? TimeSpan.FromSeconds(60));
        while (!condition())
        {
            if (timeout.IsCancellationRequested) Assert.Fail(otherwise);
            await Task.Delay(50, CancellationToken.None);
        }
    }

    /// <summary>The plugin's package alone, as an installation has it: the gateway copies the whole folder that it loads from.</summary>
    public static string CopyPlugin(string state)
    {
        var target = Path.Combine(state, "plugin");
        var repository = OpenClawInstallation.Repository;
        var files = Directory.GetFiles(Path.Combine(repository, "plugin-manifest"), "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(repository, file));
        foreach (var file in files.Concat(["openclaw.plugin.json", "package.json"]))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(target, file))!);
            File.Copy(Path.Combine(repository, file), Path.Combine(target, file));
        }

        return target;
    }
}

/// <summary>The tests that share one gateway run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class InteropCollection : ICollectionFixture<InteropLab>
{
    public const string Name = "one gateway";
}

/// <summary>The tests that start a gateway of their own run one after the other, beside those that share one.</summary>
[CollectionDefinition(Name)]
public sealed class GatewaysCollection
{
    public const string Name = "gateways of their own";
}

/// <summary>The same with packages of their own: they are for whichever of the other two ends first, so that neither is still at work when all else has ended.</summary>
[CollectionDefinition(Name)]
public sealed class PackagesCollection
{
    public const string Name = "gateways with packages of their own";
}
