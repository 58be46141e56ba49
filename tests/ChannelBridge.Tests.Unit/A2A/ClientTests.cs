using System.Text;
using System.Text.Json;
using ChannelBridge.A2A;
using ChannelBridge.A2A.Client;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Tests.Unit.A2A;

/// <summary>The client against peers that behave as no SDK does.</summary>
public sealed class ClientTests
{
    [Fact]
    public async Task ACard_IsAskedForByBothPaths_AndKeptByItsTag()
    {
        var asked = new List<string>();
        await using var server = await PeerServer.StartAsync(async (server, context) =>
        {
            lock (asked) asked.Add($"{context.Request.Path} {context.Request.Headers.IfNoneMatch}".Trim());
            if (context.Request.Path != "/.well-known/agent.json")
            {
                await PeerServer.NotFound(context);
            }
            else if (context.Request.Headers.IfNoneMatch == "\"v1\"")
            {
                context.Response.StatusCode = 304;
            }
            else
            {
                context.Response.Headers.ETag = "\"v1\"";
                await context.Response.WriteAsync(server.Card());
            }
        });
        using var client = new A2AClient(new A2AClientOptions { Address = server.Url });

        Assert.Equal("p", (await client.GetCardAsync()).Name);
        Assert.Equal("p", (await client.GetCardAsync()).Name);
        Assert.Equal("p", (await client.GetCardAsync(anew: true)).Name);

        Assert.Equal(["/.well-known/agent-card.json", "/.well-known/agent.json", "/.well-known/agent.json \"v1\""], asked);
    }

    [Fact]
    public async Task ARetriedSend_HasTheSameMessageId_AndGoesByTheWaitThatThePeerNamed()
    {
        var bodies = new List<string>();
        await using var server = await PeerServer.WithCardAsync(async context =>
        {
            var id = await MessageIdAsync(context);
            lock (bodies) bodies.Add(id);
            if (bodies.Count < 3)
            {
                context.Response.StatusCode = bodies.Count == 1 ? 503 : 429;
                context.Response.Headers.RetryAfter = "0";
                return;
            }

            await context.Response.WriteAsync($$$$"""{"jsonrpc":"2.0","id":1,"result":{"task":{{{{PeerServer.TaskText("COMPLETED")}}}}}}""");
        });
        using var client = new A2AClient(new A2AClientOptions { Address = server.Url, RetryDelay = TimeSpan.FromMilliseconds(1) });

        Assert.Equal(TaskState.Completed, (await client.SendAsync(Text("m1"))).Task!.Status.State);
        Assert.Equal(["m1", "m1", "m1"], bodies);
    }

    [Fact]
    public async Task APeerThatOftenFails_IsLeftAlone_AndOneThatSaysWait_IsNot()
    {
        var status = 429;
        var asked = 0;
        await using var server = await PeerServer.StartAsync((_, context) =>
        {
            Interlocked.Increment(ref asked);
            context.Response.StatusCode = status;
            return Task.CompletedTask;
        });
        using var client = new A2AClient(Direct(server, retries: 0));
        for (var i = 0; i < 10; i++) Assert.Equal(A2AFault.RateLimited, (await FaultAsync(client)).Fault);
        Assert.False(client.Resting);

        status = 500;
        for (var i = 0; i < 12; i++) await FaultAsync(client);
        Assert.True(client.Resting);
        var before = asked;
        var resting = await FaultAsync(client);
        Assert.Equal((A2AFault.Resting, true), (resting.Fault, resting.Retryable));
        Assert.Equal(before, asked);
    }

    [Fact]
    public async Task WhereThePeerDoesNotStream_ItsTaskIsPolled()
    {
        var asked = new List<string>();
        await using var server = await PeerServer.WithCardAsync(
            async context =>
            {
                using var body = await JsonDocument.ParseAsync(context.Request.Body);
                var method = body.RootElement.GetProperty("method").GetString()!;
                asked.Add(method);
                var state = asked.Count < 4 ? "WORKING" : "COMPLETED";
                await context.Response.WriteAsync(method == "SendMessage"
                    ? $$$$"""{"jsonrpc":"2.0","id":1,"result":{"task":{{{{PeerServer.TaskText(state)}}}}}}"""
                    : $$$$"""{"jsonrpc":"2.0","id":1,"result":{{{{PeerServer.TaskText(state)}}}}}""");
            },
            streaming: false);
        using var client = new A2AClient(new A2AClientOptions { Address = server.Url, PollDelays = [TimeSpan.FromMilliseconds(1)] });

        var events = new List<StreamItem>();
        Assert.Equal(TaskState.Completed, (await client.RunAsync(Text("m"), events.Add)).Task!.Status.State);
        Assert.Equal(["SendMessage", "GetTask", "GetTask", "GetTask"], asked);
        Assert.Equal(2, events.Count);
    }

    [Fact]
    public async Task AStreamThatBreaksOff_IsTakenUpAgain()
    {
        var asked = new List<string>();
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = await PeerServer.WithCardAsync(async context =>
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body);
            asked.Add(body.RootElement.GetProperty("method").GetString()!);
            await PeerServer.EventAsync(context, $$"""{"task":{{PeerServer.TaskText("WORKING")}}}""");
            if (asked.Count == 1)
            {
                // It breaks off after the first event, not before: until then a message would be sent again.
                await seen.Task.WaitAsync(context.RequestAborted);
                await context.Response.WriteAsync("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"resu");
                await context.Response.Body.FlushAsync();
                context.Abort();
                return;
            }

            await PeerServer.EventAsync(context, PeerServer.Status("COMPLETED"));
        });
        using var client = new A2AClient(new A2AClientOptions { Address = server.Url });

        var events = new List<StreamItem>();
        Assert.Equal(TaskState.Completed, (await client.RunAsync(Text("m"), Note)).Task!.Status.State);
        Assert.Equal(["SendStreamingMessage", "SubscribeToTask"], asked);
        Assert.Equal(2, events.Count);

        void Note(StreamItem item)
        {
            events.Add(item);
            seen.TrySetResult();
        }
    }

    [Fact]
    public async Task AStreamWithoutEnd_EndsAtItsBound()
    {
        await using var server = await PeerServer.WithCardAsync(async context =>
        {
            await PeerServer.EventAsync(context, $$"""{"task":{{PeerServer.TaskText("WORKING")}}}""");
            while (!context.RequestAborted.IsCancellationRequested) await PeerServer.EventAsync(context, PeerServer.Status("WORKING"));
        });
        using var client = new A2AClient(new A2AClientOptions { Address = server.Url, MaxStreamBytes = 100_000 });

        var fault = await Assert.ThrowsAsync<A2AException>(() => client.RunAsync(Text("m")));
        Assert.Equal(A2AFault.TooLarge, fault.Fault);
    }

    [Fact]
    public async Task AnEventWithoutEnd_EndsAtItsBound()
    {
        await using var server = await PeerServer.WithCardAsync(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: ");
            var chunk = Encoding.ASCII.GetBytes(new string('x', 8192));
            while (!context.RequestAborted.IsCancellationRequested) await context.Response.Body.WriteAsync(chunk, context.RequestAborted);
        });
        using var client = new A2AClient(new A2AClientOptions { Address = server.Url, MaxEventBytes = 100_000 });

        var fault = await Assert.ThrowsAsync<A2AException>(() => client.RunAsync(Text("m")));
        Assert.Equal(A2AFault.TooLarge, fault.Fault);
    }

    [Fact]
    public async Task ALargeCard_IsRefused()
    {
        await using var server = await PeerServer.StartAsync((_, context) => context.Response.WriteAsync(new string(' ', 300_000)));
        using var client = new A2AClient(new A2AClientOptions { Address = server.Url });

        Assert.Equal(A2AFault.TooLarge, (await Assert.ThrowsAsync<A2AException>(() => client.GetCardAsync())).Fault);
    }

    [Fact]
    public async Task TimeOuts_AreToldApart()
    {
        using var held = new CancellationTokenSource();
        await using var server = await PeerServer.WithCardAsync(async context =>
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body);
            if (body.RootElement.GetProperty("method").GetString() == "SendStreamingMessage")
            {
                await PeerServer.EventAsync(context, $$"""{"task":{{PeerServer.TaskText("WORKING")}}}""");
            }

            using var either = CancellationTokenSource.CreateLinkedTokenSource(held.Token, context.RequestAborted);
            await Task.Delay(Timeout.Infinite, either.Token).ContinueWith(static _ => { }, TaskScheduler.Default);
        });
        using var slow = new A2AClient(new A2AClientOptions { Address = server.Url, FirstAnswerTimeout = TimeSpan.FromMilliseconds(300) });
        Assert.Equal(
            A2AFault.FirstAnswerTimeout, (
                await Assert.ThrowsAsync<A2AException>(() => slow.GetTaskAsync(new GetTaskRequest { Id = "t" }))).Fault);

        using var silent = new A2AClient(
            new A2AClientOptions { Address = server.Url, SilenceTimeout = TimeSpan.FromMilliseconds(200), Retries = 0 });
        Assert.Equal(A2AFault.SilenceTimeout, (await Assert.ThrowsAsync<A2AException>(() => silent.RunAsync(Text("m")))).Fault);

        using var @long = new A2AClient(new A2AClientOptions { Address = server.Url, TotalTimeout = TimeSpan.FromMilliseconds(700) });
        Assert.Equal(A2AFault.TotalTimeout, (await Assert.ThrowsAsync<A2AException>(() => @long.RunAsync(Text("m")))).Fault);
        await held.CancelAsync();
    }

    [Fact]
    public async Task AKey_GoesToThePeer_AndNotToWhereItsCardPoints()
    {
        string? key = null;
        await using var elsewhere = await PeerServer.StartAsync(async (_, context) =>
        {
            key = context.Request.Headers.Authorization;
            await context.Response.WriteAsync($$$$"""{"jsonrpc":"2.0","id":1,"result":{"task":{{{{PeerServer.TaskText("COMPLETED")}}}}}}""");
        });
        await using var server = await PeerServer.StartAsync(async (server, context) =>
        {
            Assert.Equal("Bearer secret", context.Request.Headers.Authorization);
            await context.Response.WriteAsync(server.Card(url: elsewhere.Url.AbsoluteUri));
        });
        using var plain = new A2AClient(new A2AClientOptions { Address = server.Url, Key = () => "secret" });
        Assert.Equal(A2AFault.NoInterface, (await Assert.ThrowsAsync<A2AException>(() => plain.SendAsync(Text("m")))).Fault);

        using var handler = new HttpMessageInvoker(new SocketsHttpHandler());
        var origins = new List<UrlOrigin>();
        using var client = new A2AClient(new A2AClientOptions
        {
            Address = server.Url,
            Key = () => "secret",
            Http = origin =>
            {
                origins.Add(origin);
                return handler;
            },
        });
        await client.SendAsync(Text("m"));
        Assert.Equal("", key ?? "");
        Assert.Equal([UrlOrigin.Operator, UrlOrigin.Peer], origins);
    }

    [Theory]
    [InlineData("no json")]
    [InlineData("[]")]
    [InlineData("""{"jsonrpc":"2.0","id":1}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":{}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":{"task":{}}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"result":{"task":{"id":"t","artifacts":[null]}}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"error":{}}""")]
    public async Task AnAnswerThatMakesNoSense_IsSaidToBeOne(string answer)
    {
        await using var server = await PeerServer.StartAsync((_, context) => context.Response.WriteAsync(answer));
        using var client = new A2AClient(Direct(server, retries: 0));

        Assert.Equal(A2AFault.BadAnswer, (await FaultAsync(client)).Fault);
    }

    [Fact]
    public async Task ARedirect_IsNotFollowed()
    {
        await using var server = await PeerServer.StartAsync((server, context) =>
        {
            context.Response.Redirect(new Uri(server.Url, "/there").AbsoluteUri);
            return Task.CompletedTask;
        });
        using var client = new A2AClient(Direct(server, retries: 0));

        Assert.Equal(A2AFault.AddressRefused, (await FaultAsync(client)).Fault);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest")]
    [InlineData("http://[fe80::1]/")]
    [InlineData("http://[::ffff:169.254.169.254]/")]
    public async Task ALinkLocalAddress_IsNotCalled(string url)
    {
        using var client = new A2AClient(new A2AClientOptions { Address = new Uri(url), Retries = 0 });

        Assert.Equal(A2AFault.AddressRefused, (await Assert.ThrowsAsync<A2AException>(() => client.GetCardAsync())).Fault);
    }

    private static async Task<A2AException> FaultAsync(A2AClient client) =>
        await Assert.ThrowsAsync<A2AException>(() => client.SendAsync(Text("m")));

    private static A2AClientOptions Direct(PeerServer server, int retries) => new()
    {
        Address = server.Url,
        Retries = retries,
        Direct = new AgentInterface { Url = server.Url.AbsoluteUri, ProtocolBinding = Bindings.JsonRpc, ProtocolVersion = "1.0" },
    };

    private static async Task<string> MessageIdAsync(HttpContext context)
    {
        using var body = await JsonDocument.ParseAsync(context.Request.Body);
        return body.RootElement.GetProperty("params").GetProperty("message").GetProperty("messageId").GetString()!;
    }

    private static SendRequest Text(string id) => new()
    {
        Message = new A2AMessage { MessageId = id, Role = MessageRole.User, Parts = [A2APart.OfText("hello")] },
    };
}
