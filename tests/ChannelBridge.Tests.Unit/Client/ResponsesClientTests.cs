using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Client.Responses;

namespace ChannelBridge.Tests.Unit.Client;

public sealed class ResponsesClientTests
{
    private readonly ScriptedHost _host = new();

    [Fact]
    public async Task Create_GivesTypedEvents_OfItsOwnResponseOnly()
    {
        await using var client = Make();
        var connection = await ConnectAsync(client);
        var reading = ReadAsync(new ResponsesClient(client).CreateAsync(new ResponseQuery { Text = "hi", Model = "big", More = new JsonObject { ["temperature"] = 0.5 } }));
        var request = await connection.ReadRequestAsync("responses.create");
        Assert.Equal("""{"temperature":0.5,"input":"hi","model":"big"}""", request["params"]!.ToJsonString());
        connection.Answer(request, """{"responseId":"resp_1","status":"in_progress"}""");
        Event(connection, 0, "response.created", ""","response":{"status":"in_progress"}""");
        Event(connection, 0, "response.output_text.delta", ""","delta":"not mine" """, "resp_2");
        Event(connection, 1, "response.output_item.added", ""","item":{"type":"message"}""");
        Event(connection, 2, "response.output_text.delta", ""","delta":"Hel" """);
        Event(connection, 3, "response.acme.new", "");
        Event(connection, 4, "response.failed",
            ""","response":{"status":"failed","error":{"code":"timeout","message":"late"},"output":[{"type":"message","content":[{"type":"output_text","text":"Hel"}]}]}""");
        var events = await reading.WaitAsync(ScriptedHost.Timeout);
        Assert.Equal([0, 1, 2, 3, 4], events.Select(one => one.Sequence));
        Assert.False(Assert.IsType<ResponseProgress>(events[0]).IsQueued);
        Assert.Equal(("message", false), (Assert.IsType<ResponseItemChange>(events[1]).Kind, ((ResponseItemChange)events[1]).IsDone));
        Assert.Equal("Hel", Assert.IsType<ResponseTextDelta>(events[2]).Delta);
        Assert.Equal(typeof(ResponseEvent), events[3].GetType());
        var end = Assert.IsType<ResponseEnd>(events[4]);
        Assert.Equal(("failed", "timeout", "late", "Hel", null), (end.Status, end.ErrorCode, end.ErrorMessage, end.OutputText, end.IncompleteReason));
    }

    /// <summary>Guards against events that are lost or told twice over a lost connection.</summary>
    [Fact]
    public async Task ConnectionLostAndEventsMissed_EveryEventComesOnce()
    {
        await using var client = Make();
        var connection = await ConnectAsync(client);
        var reading = ReadAsync(new ResponsesClient(client).ResumeAsync("resp_1", 4));
        var request = await connection.ReadRequestAsync("responses.resume");
        Assert.Equal("""{"responseId":"resp_1","after":4}""", request["params"]!.ToJsonString());
        connection.Answer(request, """{"responseId":"resp_1","status":"in_progress"}""");
        Delta(connection, 5);
        Delta(connection, 7);
        // A gap: the client asks for what it lacks.
        request = await connection.ReadRequestAsync("responses.resume");
        Assert.Equal(5, (int)request["params"]!["after"]!);
        connection.Close();
        connection = await _host.LetInAsync();
        request = await connection.ReadRequestAsync("responses.resume");
        Assert.Equal(5, (int)request["params"]!["after"]!);
        connection.Answer(request, """{"responseId":"resp_1","status":"completed"}""");
        for (var i = 5; i < 9; i++) Delta(connection, i);
        Event(connection, 9, "response.completed", ""","response":{"status":"completed"}""");
        Assert.Equal([5, 6, 7, 8, 9], (await reading.WaitAsync(ScriptedHost.Timeout)).Select(one => one.Sequence));
    }

    [Fact]
    public async Task Resume_OfWhatIsGone_AndCancel_SayWhatTheHostSays()
    {
        await using var client = Make();
        var connection = await ConnectAsync(client);
        var responses = new ResponsesClient(client);
        var reading = ReadAsync(responses.ResumeAsync("resp_1"));
        connection.Answer(await connection.ReadRequestAsync("responses.resume"), """{"responseId":"resp_1","status":"in_progress"}""");
        Delta(connection, 0);
        connection.Close();
        connection = await _host.LetInAsync();
        connection.Refuse(await connection.ReadRequestAsync("responses.resume"), """{"code":"NOT_FOUND","message":"expired"}""");
        Assert.Equal("NOT_FOUND", (await Assert.ThrowsAsync<ChannelBridgeClientException>(() => reading.WaitAsync(ScriptedHost.Timeout))).Code);

        var cancelling = responses.CancelAsync("resp_2");
        connection.Answer(await connection.ReadRequestAsync("responses.cancel"), """{"responseId":"resp_2","status":"failed"}""");
        Assert.Equal("failed", await cancelling.WaitAsync(ScriptedHost.Timeout));
        Assert.Throws<ArgumentException>(() => responses.CreateAsync(new ResponseQuery()));
    }

    [Fact]
    public async Task Partials_GrowToTheirText_AndSayWhenAPieceIsMissing()
    {
        await using var bridge = new BncrBridgeClient(new BncrBridgeOptions { BridgeId = "b" }, _host.Connect, null, new Random(3), null);
        _ = bridge.StartAsync();
        var connection = await _host.LetBridgeInAsync();
        var partials = bridge.ReadPartials();
        foreach (var (stream, offset, delta, more) in new[]
        {
            ("s1", 0, "Hel", ""), ("s1", 3, "lo", ""), ("s2", 9, "late", ""), ("s1", 7, "lost", ""), ("s1", 5, "Good day", ""","replace":true"""), ("s1", 8, "!", ""),
            ("s1", 0, "", ""","aborted":true"""), ("s1", 0, "Anew", ""","attempt":2"""),
        })
        {
            connection.Raise("bncr.partial",
                $$$"""{"type":"message.partial","streamId":"{{{stream}}}","sessionKey":"k","message":{"platform":"lab","groupId":"0","userId":"u"},"offset":{{{offset}}},"delta":"{{{delta}}}"{{{more}}}}""");
        }

        var texts = new List<string?>();
        await foreach (var partial in partials)
        {
            texts.Add(partial.Text);
            Assert.Equal("u", partial.Message.UserId);
            if (texts.Count == 8) break;
        }

        Assert.Equal(["Hel", "Hello", null, null, "Good day", "Good day!", "", "Anew"], texts);
    }

    private static async Task<List<ResponseEvent>> ReadAsync(IAsyncEnumerable<ResponseEvent> stream)
    {
        var events = new List<ResponseEvent>();
        await foreach (var one in stream) events.Add(one);
        return events;
    }

    private static void Delta(ScriptedHost.ScriptedConnection connection, int sequence) => Event(connection, sequence, "response.output_text.delta", ""","delta":"x" """);

    private static void Event(ScriptedHost.ScriptedConnection connection, int sequence, string type, string more, string id = "resp_1") =>
        connection.Raise("responses.event", $$"""{"type":"{{type}}","sequence_number":{{sequence}}{{more}},"response_id":"{{id}}"}""");

    private ChannelBridgeClient Make() => new(
        new ChannelBridgeClientOptions { ReconnectDelay = TimeSpan.FromMilliseconds(1), MaxReconnectDelay = TimeSpan.FromMilliseconds(2) },
        _host.Connect, null, new Random(3), null);

    private async Task<ScriptedHost.ScriptedConnection> ConnectAsync(ChannelBridgeClient client)
    {
        var connecting = client.ConnectAsync();
        var connection = await _host.LetInAsync();
        await connecting.WaitAsync(ScriptedHost.Timeout);
        return connection;
    }
}
