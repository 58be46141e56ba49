using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Integration.Faults;
using static ChannelBridge.Tests.Integration.A2A.PeerClient;

namespace ChannelBridge.Tests.Integration.A2A;

/// <summary>Tokens that hold no longer, readers that don't read, receivers that don't answer, and a disk that is full: each is told, and nothing else suffers.</summary>
public sealed class A2AFaultTests
{
    [Fact]
    public async Task A_token_that_has_ended_lets_nobody_in_and_a_peers_opens_no_other_door()
    {
        await using var lab = await A2ALab.StartAsync();
        async Task<string> MadeAsync(params string[] more)
        {
            var made = await HostProcess.RunAsync(["tokens", "add", .. more, "--scope", "peer", "--data", lab.Host.Data]);
            Assert.True(made.ExitCode == 0, made.Errors);
            return made.Output.Trim().Split('\n')[^1].Trim();
        }

        using (var expiring = lab.Peer(await MadeAsync("brief", "--expires-in", "3s"))) await expiring.UntilRefusedAsync();
        using (var revoked = lab.Peer(await MadeAsync("gone")))
        {
            await revoked.CallAsync("ListTasks", []);
            Assert.Equal(0, (await HostProcess.RunAsync(["tokens", "revoke", "gone", "--data", lab.Host.Data])).ExitCode);
            await revoked.UntilRefusedAsync();
        }

        // JSON-RPC of operators: whether the door stays shut or each call is refused, nothing is told.
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", "Bearer " + A2ALab.Alice);
        using var patience = new CancellationTokenSource(HostProcess.Timeout);
        var answer = "";
        try
        {
            await socket.ConnectAsync(new Uri(lab.Host.WebSocketUrl, "/rpc"), patience.Token);
            await socket.SendAsync(
                """{"jsonrpc":"2.0","id":1,"method":"a2a.tasks.list","params":{}}"""u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, patience.Token);
            var buffer = new byte[64 * 1024];
            var read = await socket.ReceiveAsync(buffer, patience.Token);
            answer = Encoding.UTF8.GetString(buffer, 0, read.Count);
        }
        catch (WebSocketException)
        {
            // It stays shut.
        }

        Assert.DoesNotContain("\"result\"", answer, StringComparison.Ordinal);
        var audit = (await HostProcess.RunAsync(["tokens", "audit", "--json", "--data", lab.Host.Data])).Output;
        Assert.Contains("gone", audit, StringComparison.Ordinal);
    }

    /// <summary>Who reads no events holds nothing for ever: its stream is closed, and others get theirs.</summary>
    [Fact]
    public async Task A_client_that_reads_no_events_is_closed_and_nobody_waits_for_it()
    {
        await using var lab = await A2ALab.StartAsync(new Dictionary<string, string> { ["CHANNELBRIDGE__LIMITS__SLOWCONSUMERTIMEOUT"] = "1s" });
        lab.Model.Flood = 160;
        using var peer = lab.Peer();
        var id = (string)(await lab.WorkingAsync(peer, "flood"))["id"]!;
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(lab.Host.Url.Host, lab.Host.Url.Port);
        var body = $$$$"""{"jsonrpc":"2.0","id":1,"method":"SubscribeToTask","params":{"id":"{{{{id}}}}"}}""";
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"POST /a2a HTTP/1.1\r\nHost: {lab.Host.Url.Authority}\r\nAuthorization: Bearer {A2ALab.Alice}\r\nA2A-Version: 1.0\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        // It has begun to be answered; nothing more of it is read.
        var status = new byte[12];
        using (var begun = new CancellationTokenSource(HostProcess.Timeout))
        {
            for (var read = 0; read < status.Length;) read += await socket.ReceiveAsync(status.AsMemory(read), begun.Token);
        }

        Assert.Equal("HTTP/1.1 200", Encoding.ASCII.GetString(status));
        var reading = await A2AServerTests.BegunAsync(peer, id);
        lab.Model.Go.SetResult();
        Assert.Equal("COMPLETED", A2AServerTests.Last(await reading.WaitAsync(HostProcess.Timeout)));

        // The stream held its task in memory; it does so no longer, though nobody has read a byte of it.
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (true)
        {
            var told = await HostProcess.RunAsync(["diagnostics", "--json", "--data", lab.Host.Data]);
            if (JsonNode.Parse(told.Output)?["a2a"]?["tasksInMemory"] is { } held && (int)held == 0) break;
            await Task.Delay(200, timeout.Token);
        }
    }

    [Theory]
    [InlineData(500, "500")]
    [InlineData(0, "attempt")]
    public async Task A_receiver_that_fails_or_never_answers_makes_a_dead_letter_after_its_tries(int status, string reason)
    {
        await using var receiver = await A2APushTests.Receiver.StartAsync();
        receiver.Status = status;
        await using var lab = await A2ALab.StartAsync(new Dictionary<string, string>
        {
            ["CHANNELBRIDGE__CHANNELS__A2A__NETWORKS"] = "public,127.0.0.1",
            ["CHANNELBRIDGE__CHANNELS__A2A__PUSHTIMEOUT"] = "2s",
            ["CHANNELBRIDGE__CHANNELS__A2A__DELIVERY__MAXATTEMPTS"] = "2",
            ["CHANNELBRIDGE__CHANNELS__A2A__DELIVERY__BASEDELAY"] = "50ms",
        });
        using var peer = lab.Peer();
        var send = Send("fails", "hello");
        send["configuration"]!["taskPushNotificationConfig"] = new JsonObject { ["url"] = receiver.Url + "/fails" };
        await peer.CallAsync("SendMessage", send);
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (true)
        {
            var list = JsonNode.Parse((await HostProcess.RunAsync(["dead-letters", "list", "--json", "--data", lab.Host.Data])).Output)!["entries"]!.AsArray();
            if (list.Count > 0)
            {
                var shown = (await HostProcess.RunAsync(["dead-letters", "show", (string)list[0]!["messageId"]!, "--json", "--data", lab.Host.Data])).Output;
                Assert.Contains(reason, shown, StringComparison.OrdinalIgnoreCase);
                break;
            }

            await Task.Delay(100, timeout.Token);
        }

        Assert.Equal(2, receiver.Count);
        // The task is none the worse for it.
        Assert.Equal(1, (int)(await peer.CallAsync("ListTasks", new JsonObject { ["status"] = "TASK_STATE_COMPLETED" }))["totalSize"]!);
    }

    [Theory]
    [InlineData("full", "STORE_FULL")]
    [InlineData("readonly", "STORE_UNAVAILABLE")]
    public async Task A_store_that_is_full_or_read_only_is_told_and_leaves_no_task_that_was_not_accepted(string fault, string code)
    {
        var faults = new FaultLibrary();
        await using var lab = await A2ALab.StartAsync(faults.Environment);
        using var peer = lab.Peer();
        var accepted = 0;
        faults.Set(fault);
        JsonNode? error = null;
        while (error is null)
        {
            Assert.True(accepted < 10_000, "the disk never failed");
            var answer = await peer.AskAsync("SendMessage", Send($"full-{accepted}", "hello", wait: false));
            error = answer["error"];
            if (error is null) accepted++;
        }

        Assert.Equal((-32603, code), ((int)error["code"]!, (string?)error["data"]!["code"]));
        Assert.True((bool)error["data"]!["retryable"]!);
        var (status, body) = await peer.PostAsync(new JsonObject { ["message"] = Message($"full-{accepted}", "hello") }.ToJsonString(), "/a2a/message:send");
        Assert.Equal(503, status);
        Assert.Contains(code, body, StringComparison.Ordinal);
        Assert.Equal(accepted, (int)(await peer.CallAsync("ListTasks", []))["totalSize"]!);
        faults.Set("");
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while ((await peer.AskAsync("SendMessage", Send($"full-{accepted}", "hello", wait: false)))["error"] is not null) await Task.Delay(100, timeout.Token);
        Assert.Equal("COMPLETED", State((await peer.CallAsync("SendMessage", Send($"full-{accepted}", "hello")))["task"]!));
        Assert.Equal(accepted + 1, (int)(await peer.CallAsync("ListTasks", []))["totalSize"]!);
    }
}
