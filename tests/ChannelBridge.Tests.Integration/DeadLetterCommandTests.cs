using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration;

/// <summary><c>channelbridge dead-letters</c> as an operator uses it, against a running host.</summary>
public sealed class DeadLetterCommandTests
{
    [Fact]
    public async Task List_Show_Replay_SendsTheMessageAgainUnderItsKey()
    {
        await using var host = await HostProcess.StartAsync();
        await using var bridge = new Bridge();
        var ids = await bridge.RefuseAsync(host, "Shop", "alice", 2);

        var table = await RunAsync(host, "list");
        Assert.All(ids, id => Assert.Contains(id, table.Output, StringComparison.Ordinal));
        Assert.Contains("fatal-ack", table.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', table.Output);
        var page = JsonNode.Parse((await RunAsync(host, "list", "--json", "--limit", "1", "--route", "Bncr:lab:alice", "--account", "shop")).Output)!;
        Assert.Equal(ids[0], (string?)page["entries"]!.AsArray().Single()!["messageId"]);
        var rest = JsonNode.Parse((await RunAsync(host, "list", "--json", "--cursor", (string)page["nextCursor"]!)).Output)!;
        Assert.Equal(ids[1], (string?)rest["entries"]!.AsArray().Single()!["messageId"]);
        var other = await HostProcess.RunAsync(["dead-letters", "list", "--account", "other", "--data", host.Data]);
        Assert.Equal(8, other.ExitCode);
        Assert.Contains("unknown account 'other'; accounts: ", other.Errors, StringComparison.Ordinal);
        Assert.Equal("no dead letters", (await RunAsync(host, "list", "--account", "primary")).Output.Trim());
        Assert.Equal("no dead letters", (await RunAsync(host, "list", "--older-than", "1h")).Output.Trim());

        var shown = await RunAsync(host, "show", ids[0]);
        foreach (var part in new[] { "echo: 0", "no such chat", "fatal-ack", "history" }) Assert.Contains(part, shown.Output, StringComparison.Ordinal);
        Assert.Equal("echo: 0", (string?)JsonNode.Parse((await RunAsync(host, "show", ids[0], "--json")).Output)!["message"]!["text"]);

        Assert.Contains("would be replayed", (await RunAsync(host, "replay", ids[0], "--dry-run")).Output, StringComparison.Ordinal);
        bridge.Refuses = false;
        Assert.Equal("2 replayed", (await RunAsync(host, "replay", "--account", "Shop")).Output.Trim());
        Assert.Equal(ids, await bridge.TakeAsync(2));
        Assert.Equal("no dead letters", (await RunAsync(host, "list")).Output.Trim());
        Assert.Contains("replay", (await RunAsync(host, "audit")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Discard_AndPrune_WithoutATerminal_NeedYes()
    {
        await using var host = await HostProcess.StartAsync();
        await using var bridge = new Bridge();
        var ids = await bridge.RefuseAsync(host, "Shop", "alice", 3);
        foreach (var command in new[] { new[] { "discard", "--all" }, ["prune", "--older-than", "0s"], ["discard", ids[0], "--json"] })
        {
            var refused = await HostProcess.RunAsync(["dead-letters", .. command, "--data", host.Data]);
            Assert.Equal(2, refused.ExitCode);
            Assert.Contains("--yes", refused.Errors, StringComparison.Ordinal);
            Assert.Empty(refused.Output);
        }

        var dry = JsonNode.Parse((await RunAsync(host, "discard", "--all", "--dry-run", "--json")).Output)!;
        Assert.Equal((3, 0, true), ((int)dry["matched"]!, (int)dry["changed"]!, (bool)dry["dryRun"]!));
        Assert.Equal("1 removed", (await RunAsync(host, "discard", ids[0], "--yes")).Output.Trim());
        Assert.Equal("0 removed", (await RunAsync(host, "prune", "--older-than", "1h", "-y")).Output.Trim());
        Assert.Equal("2 removed", (await RunAsync(host, "prune", "--older-than", "0s", "--yes")).Output.Trim());
        Assert.Equal("no dead letters", (await RunAsync(host, "list")).Output.Trim());
        var audit = JsonNode.Parse((await RunAsync(host, "audit", "--json")).Output)!["entries"]!.AsArray();
        Assert.Equal(ids.Order(), audit.Select(line => (string)line!["messageId"]!).Order());
        Assert.Equal(8, (await HostProcess.RunAsync(["dead-letters", "show", ids[0], "--data", host.Data])).ExitCode);
    }

    [Theory]
    [InlineData("discard", "say which ones")]
    [InlineData("replay", "say which ones")]
    [InlineData("replay 6a2f6f0e-4d7f-4a3e-9c55-2d1f0b8c1a11 --all", "not both")]
    [InlineData("prune --yes", "--older-than")]
    [InlineData("list --older-than yesterday", "not a length of time")]
    [InlineData("list --limit 5000", "1 to 1000")]
    [InlineData("show", "missing for command")]
    public async Task WrongCommandLine_SaysWhatIsMissing(string line, string expected)
    {
        var result = await HostProcess.RunAsync(["dead-letters", .. line.Split(' ')]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NoHost_SaysHowToStartOne()
    {
        var result = await HostProcess.RunAsync(["dead-letters", "list", "--data", HostProcess.NewDataFolder()]);
        Assert.Equal(7, result.ExitCode);
        Assert.Contains("channelbridge serve", result.Errors, StringComparison.Ordinal);
    }

    private static async Task<CommandResult> RunAsync(HostProcess host, params string[] arguments)
    {
        var result = await HostProcess.RunAsync(["dead-letters", .. arguments, "--data", host.Data]);
        Assert.True(result.ExitCode == 0, result.Errors);
        return result;
    }

    /// <summary>A bridge that refuses every push for good, until it is told not to.</summary>
    private sealed class Bridge : IAsyncDisposable
    {
        private readonly WireClient _client = new();
        private readonly List<string> _pushed = [];
        private int _taken;
        private readonly System.Threading.Channels.Channel<string> _acked = System.Threading.Channels.Channel.CreateUnbounded<string>();

        public bool Refuses { get; set; } = true;

        public async Task<List<string>> RefuseAsync(HostProcess host, string account, string user, int count)
        {
            _client.OnEvent = (name, payload) =>
            {
                if (name != "bncr.push") return;
                lock (_pushed) _pushed.Add((string)payload["messageId"]!);
                _ = AckAsync(account, (string)payload["messageId"]!);
            };
            await _client.ConnectAsync(host.WebSocketUrl, host.Token);
            await _client.CallAsync("bncr.connect", new JsonObject { ["accountId"] = account, ["clientId"] = "dead", ["ack"] = true });
            for (var number = 0; number < count; number++)
            {
                await _client.CallAsync("bncr.inbound", new JsonObject
                {
                    ["accountId"] = account,
                    ["clientId"] = "dead",
                    ["platform"] = "lab",
                    ["userId"] = user,
                    ["msgId"] = $"m{number}",
                    ["msg"] = $"{number}",
                });
            }

            return await TakeAsync(count);
        }

        /// <summary>The ids of the next pushes, in their order, once their acks are on disk.</summary>
        public async Task<List<string>> TakeAsync(int count)
        {
            using var timeout = new CancellationTokenSource(HostProcess.Timeout);
            for (var acked = 0; acked < count; acked++) await _acked.Reader.ReadAsync(timeout.Token);
            lock (_pushed)
            {
                var ids = _pushed.GetRange(_taken, count);
                _taken += count;
                return ids;
            }
        }

        public ValueTask DisposeAsync() => _client.DisposeAsync();

        private async Task AckAsync(string account, string id)
        {
            await _client.CallAsync("bncr.ack", new JsonObject
            {
                ["accountId"] = account,
                ["clientId"] = "dead",
                ["messageId"] = id,
                ["ok"] = !Refuses,
                ["fatal"] = Refuses,
                ["error"] = Refuses ? "no such chat" : null,
            });
            _acked.Writer.TryWrite(id);
        }
    }
}
