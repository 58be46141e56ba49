using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace ChannelBridge.Tests.Integration;

/// <summary>
/// A start on the data folder of the version before: its store, its settings, its token, its files. That host was really run and killed in the middle of
/// everything (<c>VersionBefore/make.py</c>); whoever upgrades finds it all and goes on.
/// </summary>
public sealed class VersionBeforeTests
{
    private static readonly Dictionary<string, string> NoEnvironment = [];

    [Fact]
    public async Task Start_OnTheDataOfTheVersionBefore_EverythingGoesOn()
    {
        var data = Unpack();
        var facts = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(data, "facts.json")))!;
        var check = await HostProcess.RunAsync(["config", "check", "--data", data], environment: NoEnvironment);
        Assert.True(check.ExitCode == 0, check.Errors);

        await using var model = await SlowModel.StartAsync();
        model.Go.SetResult();
        await using var host = await HostProcess.StartAsync(
            data, environment: new Dictionary<string, string> { ["CHANNELBRIDGE__AGENTS__LOCAL__URL"] = model.Url + "/v1" });

        // What was pushed and never acked comes again under its id, and is acked now.
        var primary = await ConnectAsync(host, "Primary");
        Assert.Equal((string?)facts["pushed"], await TakeAsync(primary));
        Assert.Equal("echo: nobody is there", Text(await PushAsync(await ConnectAsync(host, "Away"))));

        // The turn that the kill cut off and those behind it are answered, in their order; so comes the notice of the one that was given up.
        var shop = await ConnectAsync(host, "Shop");
        var answers = new List<string>();
        while (answers.Count < 4)
        {
            var push = await PushAsync(shop);
            answers.Add((string)push["replyToId"]!);
            if (answers[^1] == "m-refused") Assert.StartsWith("Sorry, this message could not be answered", Text(push), StringComparison.Ordinal);
            else Assert.Equal(SlowModel.First + SlowModel.Second, Text(push));
            await AckAsync(shop, push);
        }

        Assert.Equal(["m-first", "m-second"], answers.Where(id => id is "m-first" or "m-second"));
        Assert.Equal(["m-first", "m-refused", "m-second", "m-third"], answers.Order(StringComparer.Ordinal));

        // What was settled stays settled: receipts, dead letters of both kinds, and who has been seen before.
        Assert.Equal("acked", (string?)(await primary.Client.CallAsync("outbox.get", new JsonObject { ["messageId"] = (string?)facts["acked"] }))["state"]);
        var dead = await HostProcess.RunAsync(["dead-letters", "list", "--json", "--data", data], environment: NoEnvironment);
        Assert.Contains((string)facts["refused"]!, dead.Output, StringComparison.Ordinal);
        Assert.Contains((string)facts["exhausted"]!, dead.Output, StringComparison.Ordinal);
        var unanswered = await HostProcess.RunAsync(["dead-letters", "list", "--inbox", "--json", "--data", data], environment: NoEnvironment);
        Assert.Single(JsonNode.Parse(unanswered.Output)!["entries"]!.AsArray());
        var again = await primary.Client.CallAsync("bncr.inbound", new JsonObject
        {
            ["accountId"] = "Primary",
            ["clientId"] = "maker",
            ["platform"] = "qq",
            ["userId"] = "1",
            ["msg"] = "acked",
            ["msgId"] = "m-acked",
        });
        Assert.True((bool)again["duplicated"]!, again.ToJsonString());

        // Dead letters can be replayed.
        await HostProcess.RunAsync(["dead-letters", "replay", (string)facts["exhausted"]!, "--data", data], environment: NoEnvironment);
        Assert.Equal((string?)facts["exhausted"], await TakeAsync(primary));
        await FinishTheFileAsync(primary);
        await ReadTheResponsesAsync(host, facts);
        await primary.Client.DisposeAsync();
        await shop.Client.DisposeAsync();
        Assert.Equal(0, await host.StopAsync());
    }

    /// <summary>A file of which two of three chunks had come.</summary>
    private static async Task FinishTheFileAsync(Bridge bridge)
    {
        var status = await CallAsync("bncr.file.status", new JsonObject());
        Assert.Equal([2], status["missing"]!.AsArray().Select(index => (int)index!));
        var content = Enumerable.Range(0, 768).Select(index => (byte)index).ToArray();
        var last = content[512..];
        await CallAsync("bncr.file.chunk", new JsonObject
        {
            ["chunkIndex"] = 2,
            ["offset"] = 512,
            ["size"] = 256,
            ["chunkSha256"] = Convert.ToHexStringLower(SHA256.HashData(last)),
            ["base64"] = Convert.ToBase64String(last),
        });
        var complete = await CallAsync("bncr.file.complete", new JsonObject());
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(content)), (string?)complete["fileSha256"]);

        Task<JsonObject> CallAsync(string method, JsonObject parameters)
        {
            (parameters["accountId"], parameters["clientId"], parameters["transferId"]) = ("Primary", "maker", "t-half");
            return bridge.Client.CallAsync(method, parameters);
        }
    }

    /// <summary>A response that ended can be read and gone on with; one that ran doesn't run for ever.</summary>
    private static async Task ReadTheResponsesAsync(HostProcess host, JsonNode facts)
    {
        using var http = new HttpClient { BaseAddress = new Uri(host.Url, "/v1/"), Timeout = HostProcess.Timeout };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", host.Token);
        var ended = (await http.GetFromJsonAsync<JsonObject>($"responses/{facts["response"]}"))!;
        Assert.Equal("completed", (string?)ended["status"]);
        Assert.Contains("remember me", ended.ToJsonString(), StringComparison.Ordinal);
        using var next = await http.PostAsJsonAsync(
            "responses", new JsonObject { ["model"] = "echo", ["input"] = "and on", ["previous_response_id"] = (string?)facts["response"] });
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
        var cut = (await http.GetFromJsonAsync<JsonObject>($"responses/{facts["running"]}"))!;
        Assert.DoesNotContain((string)cut["status"]!, (string[])["queued", "in_progress"]);
    }

    private static async Task<Bridge> ConnectAsync(HostProcess host, string account)
    {
        var pushes = Channel.CreateUnbounded<JsonObject>();
        var client = new WireClient
        {
            OnEvent = (name, payload) =>
            {
                if (name == "bncr.push") pushes.Writer.TryWrite(payload);
            },
        };
        await client.ConnectAsync(host.WebSocketUrl, host.Token);
        await client.CallAsync("bncr.connect", new JsonObject { ["accountId"] = account, ["clientId"] = "maker", ["ack"] = true });
        return new Bridge(client, pushes, account);
    }

    private static async Task<JsonObject> PushAsync(Bridge bridge)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        return await bridge.Pushes.Reader.ReadAsync(timeout.Token);
    }

    private static async Task<string?> TakeAsync(Bridge bridge)
    {
        var push = await PushAsync(bridge);
        await AckAsync(bridge, push);
        return (string?)push["messageId"];
    }

    private static Task AckAsync(Bridge bridge, JsonObject push) => bridge.Client.CallAsync(
        "bncr.ack",
        new JsonObject { ["accountId"] = bridge.Account, ["clientId"] = "maker", ["messageId"] = (string?)push["messageId"], ["ok"] = true });

    private static string? Text(JsonObject push) => (string?)push["message"]!["msg"];

    private static string Unpack([CallerFilePath] string here = "")
    {
        var data = HostProcess.NewDataFolder();
        using var file = File.OpenRead(Path.Combine(Path.GetDirectoryName(here)!, "VersionBefore", "data.tar.gz"));
        using var content = new GZipStream(file, CompressionMode.Decompress);
        TarFile.ExtractToDirectory(content, data, overwriteFiles: true);
        return data;
    }

    private sealed record Bridge(WireClient Client, Channel<JsonObject> Pushes, string Account);
}
