using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Aun;
using ChannelBridge.Channels.Aun.Connector;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Core.Net;
using ChannelBridge.Tests.Aun.Endpoint;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Tests.Aun.Connector;

/// <summary>The connector on this project's own endpoint: a whole host on one side, accounts on the other.</summary>
public sealed class AgainstEndpointTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AnAgentOfTheEndpoint_IsAsked_AndAnswersInTheSameWay(bool encrypt)
    {
        await using var gateway = await GatewayLab.StartAsync(static options => options.Agents[GatewayLab.Bot] = "echo");
        await using var alice = await Side.StartAsync(gateway, "alice.agentid.pub", account => account.Encrypt = encrypt);

        await alice.SendAsync(GatewayLab.Bot, "Hello, Grüße");

        await Wait.UntilAsync(() => !alice.Inbox.Accepted.IsEmpty);
        Assert.Equal(["echo: Hello, Grüße"], alice.Inbox.Texts);
        Assert.Equal(encrypt ? 1 : 0, (long)(await alice.StatusAsync())["sealing"]!["opened"]!);
    }

    [Fact]
    public async Task TwoAccounts_WriteToEachOther_Sealed_AlsoWhileOneIsAway()
    {
        await using var gateway = await GatewayLab.StartAsync();
        await using var alice = await Side.StartAsync(gateway, "alice.agentid.pub");
        await using var bobby = await Side.StartAsync(gateway, "bobby.agentid.pub");
        for (var i = 0; i < 20; i++) await alice.SendAsync(bobby.Aid, $"m{i}");
        await Wait.UntilAsync(() => bobby.Inbox.Accepted.Count == 20);

        await bobby.StopAsync();
        for (var i = 20; i < 40; i++) await alice.SendAsync(bobby.Aid, $"m{i}");
        await bobby.BeginAsync();
        await Wait.UntilAsync(() => bobby.Inbox.Accepted.Count == 40);
        await bobby.SendAsync(alice.Aid, "thanks");
        await Wait.UntilAsync(() => alice.Inbox.Accepted.Count == 1);

        Assert.Equal(Enumerable.Range(0, 40).Select(i => $"m{i}"), bobby.Inbox.Texts);
        Assert.All(alice.Outbox.Acks.Values, ack => Assert.True(ack.Ok, ack.Error));
        Assert.Equal(0, (long)(await bobby.StatusAsync())["refused"]!);
    }

    [Fact]
    public async Task TwoDevices_OfOneIdentity_GetEachTheirCopy()
    {
        await using var gateway = await GatewayLab.StartAsync();
        await using var first = await Side.StartAsync(gateway, "bobby.agentid.pub");
        await using var second = await Side.StartAsync(gateway, "bobby.agentid.pub", keysOf: first);
        await using var alice = await Side.StartAsync(gateway, "alice.agentid.pub");

        await alice.SendAsync("bobby.agentid.pub", "to both");

        await Wait.UntilAsync(() => first.Inbox.Accepted.Count == 1 && second.Inbox.Accepted.Count == 1);
        Assert.Equal(["to both"], first.Inbox.Texts);
        Assert.Equal(["to both"], second.Inbox.Texts);
    }

    [Fact]
    public async Task ASecondConnectionOfTheSlot_PushesTheFirstOut_WhichSaysSo()
    {
        await using var gateway = await GatewayLab.StartAsync();
        await using var first = await Side.StartAsync(gateway, "bobby.agentid.pub");
        await using var second = await Side.StartAsync(gateway, "bobby.agentid.pub", keysOf: first, sameDevice: true);

        await Wait.UntilAsync(async () => (string)(await first.StatusAsync())["state"]! == "terminal_failed");
        Assert.Contains("SlotId", (string)(await first.StatusAsync())["lastError"]!, StringComparison.Ordinal);
        Assert.Equal("connected", (string)(await second.StatusAsync())["state"]!);
    }

    [Fact]
    public async Task ARootThatIsntTheGateways_IsNoReasonToLogIn()
    {
        await using var gateway = await GatewayLab.StartAsync();
        using var other = new FakePki();
        await using var alice = new Side(gateway, "alice.agentid.pub");
        await File.WriteAllTextAsync(alice.RootPath, other.RootPem);
        await alice.BeginAsync(wait: false);

        await Wait.UntilAsync(async () => (string)(await alice.StatusAsync())["state"]! == "terminal_failed");
        Assert.StartsWith("certificate: ", (string)(await alice.StatusAsync())["lastError"]!, StringComparison.Ordinal);
    }

    /// <summary>One account of a connector.</summary>
    private sealed class Side : IAsyncDisposable
    {
        private readonly GatewayLab _gateway;
        private readonly Action<AunAccountOptions>? _configure;
        private ConnectorPart? _part;

        public Side(GatewayLab gateway, string aid, Action<AunAccountOptions>? configure = null)
        {
            (_gateway, Aid, _configure) = (gateway, aid, configure);
            Inbox = new ConnectorLab.RecordingInbox(Store);
        }

        public string Aid { get; }

        public string Folder { get; } = Scratch.NewFolder("aunside");

        public string RootPath => Path.Combine(Folder, "root.pem");

        public MemoryStore Store { get; } = new();

        public ConnectorLab.RecordingInbox Inbox { get; }

        public ConnectorLab.PushingOutbox Outbox { get; } = new();

        public static async Task<Side> StartAsync(
            GatewayLab gateway, string aid, Action<AunAccountOptions>? configure = null, Side? keysOf = null, bool sameDevice = false)
        {
            var side = new Side(gateway, aid, configure);
            await File.WriteAllTextAsync(side.RootPath, Root(await gateway.GetAsync("/pki/chain")));
            if (keysOf is not null)
            {
                foreach (var file in Directory.EnumerateFiles(Path.Combine(keysOf.Folder, "aun"), "*", SearchOption.AllDirectories))
                {
                    var name = Path.GetRelativePath(keysOf.Folder, file);
                    if (name.EndsWith("meta.json", StringComparison.Ordinal) || (name.EndsWith(".device_id", StringComparison.Ordinal) && !sameDevice)) continue;
                    Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(side.Folder, name))!);
                    File.Copy(file, Path.Combine(side.Folder, name));
                }
            }

            await side.BeginAsync();
            return side;
        }

        public async Task BeginAsync(bool wait = true)
        {
            var options = new AunOptions();
            options.Connector.ReconnectBaseDelay = options.Connector.ReconnectAfterClose = TimeSpan.FromMilliseconds(20);
            var account = new AunAccountOptions { Aid = Aid, AunPath = Path.Combine(Folder, "aun"), RootCaPath = RootPath, GatewayUrl = _gateway.Gateway.ToString() };
            _configure?.Invoke(account);
            options.Accounts["main"] = account;
            _part = new ConnectorPart(
                Options.Create(options),
                new ConnectorParts(new WebSocketDialer(), Inbox, Outbox, Store, new SingleHost(), null, TimeProvider.System, new Random(1), NullLoggerFactory.Instance));
            await _part.StartAsync(CancellationToken.None);
            if (wait) await Wait.UntilAsync(async () => (string)(await StatusAsync())["state"]! == "connected");
        }

        public async Task StopAsync()
        {
            if (_part is not { } part) return;
            _part = null;
            await part.StopAsync(CancellationToken.None);
            part.Dispose();
        }

        public Task SendAsync(string to, string text) => CallAsync("aun.send", new JsonObject { ["to"] = to, ["text"] = text });

        public async Task<JsonObject> StatusAsync() => (await CallAsync("aun.status", []))["accounts"]![0]!.AsObject();

        public async ValueTask DisposeAsync() => await StopAsync();

        private async Task<JsonObject> CallAsync(string method, JsonObject parameters)
        {
            var output = new ArrayBufferWriter<byte>();
            await _part!.Methods.Single(one => one.Name == method).InvokeAsync(
                JsonSerializer.SerializeToUtf8Bytes(parameters), new Abstractions.Methods.MethodCall(new ConnectorLab.Nobody()), output, CancellationToken.None);
            return JsonNode.Parse(output.WrittenSpan)!.AsObject();
        }

        private static string Root((System.Net.HttpStatusCode Status, string Text) chain)
        {
            var begin = chain.Text.LastIndexOf("-----BEGIN", StringComparison.Ordinal);
            return chain.Text[begin..];
        }
    }
}
