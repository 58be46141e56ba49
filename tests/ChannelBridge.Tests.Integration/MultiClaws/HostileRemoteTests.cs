using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Unit.A2A;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Tests.Integration.MultiClaws;

/// <summary>An agent elsewhere that never stops talking, breaks off, or points to somebody else: the session ends with the reason, and the host is no larger for it.</summary>
public sealed class HostileRemoteTests
{
    // Without its bounds the host would hold some of what these send: each offers as much as this, several at once, again and again.
    private const long Gigabyte = 1L << 30;
    // Several answers of 8 MiB at once, and how far a collector may lag behind on a busy machine (175 MiB were seen); far from what is sent.
    private const long MostMemory = 256L << 20;

    private static readonly byte[] Filler = Encoding.ASCII.GetBytes(new string('x', 32 * 1024));

    /// <summary>What each of them does with a message.</summary>
    private static readonly (string Name, bool Streams, Func<HttpContext, Counter, Task> Answer, string Reason)[] Endless =
    [
        ("streams results for ever", true, static (context, sent) => EventsAsync(context, sent, static text =>
            $$$$$$"""{"artifactUpdate":{"taskId":"t","contextId":"c","append":true,"artifact":{"artifactId":"a","parts":[{"text":"{{{{{{text}}}}}}"}]}}}"""), "larger than"),
        ("says for ever that it works", true, static (context, sent) => EventsAsync(context, sent, static text =>
            $$$$$$"""{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING","message":{"messageId":"{{{{{{Guid.NewGuid()}}}}}}","role":"ROLE_AGENT","parts":[{"text":"{{{{{{text}}}}}}"}]}}}}"""),
            "larger than"),
        ("sends one event without end", true, static (context, sent) => FloodAsync(context, sent, "text/event-stream", "data: "), "larger than"),
        ("sends an answer without end", false, static (context, sent) => FloodAsync(context, sent, "application/json", "\""), "larger than"),
        ("announces a gigabyte", false, static (context, sent) =>
        {
            context.Response.ContentLength = Gigabyte;
            return FloodAsync(context, sent, "application/json", "\"");
        }, "larger than"),
    ];

    [Fact]
    public async Task Remote_that_never_stops_is_cut_off_with_a_reason_and_memory_stays_flat()
    {
        await using var host = await SessionHost.StartAsync();
        var remotes = new List<(string Name, PeerServer Server, Counter Sent, string Reason)>();
        foreach (var (name, streams, answer, reason) in Endless)
        {
            var sent = new Counter();
            remotes.Add((name, await PeerServer.WithCardAsync(context => AnswerAsync(context, sent, answer), streams), sent, reason));
        }

        try
        {
            foreach (var (_, server, _, _) in remotes) await host.CallAsync("agents.add", new JsonObject { ["url"] = server.Url.AbsoluteUri });
            // At first everything that it takes is made.
            for (var round = 0; round < 2; round++) await AllAsync();
            var before = Peak(host);
            for (var round = 0; round < 3; round++) await AllAsync();
            var grown = Peak(host) - before;
            Assert.True(grown < MostMemory, $"the host has grown by {grown >> 20} MiB");
            // Nobody waits for their tasks any more, and they are told so.
            await Wait.UntilAsync(() => remotes.Take(2).All(static remote => remote.Sent.Cancels == 5), "the tasks of the first two are cancelled, each once");
        }
        finally
        {
            foreach (var (_, server, _, _) in remotes) await server.DisposeAsync();
        }

        async Task AllAsync()
        {
            var ids = new List<string>();
            foreach (var (_, server, sent, _) in remotes)
            {
                sent.Bytes = 0;
                ids.Add(await host.BeginAsync(server.Url.AbsoluteUri, "tell me everything", "agent:main:asked"));
            }

            for (var i = 0; i < ids.Count; i++)
            {
                var (name, _, _, reason) = remotes[i];
                var session = await host.UntilAsync(ids[i], "failed");
                Assert.True(((string)session["error"]!).Contains(reason, StringComparison.Ordinal), $"{name}: {session["error"]}");
            }
        }
    }

    [Fact]
    public async Task Remote_that_breaks_off_in_the_middle_of_an_event_ends_with_the_time_and_its_task_is_cancelled()
    {
        var (cancelled, known) = (new TaskCompletionSource(), new TaskCompletionSource());
        var broken = 0;
        await using var server = await PeerServer.WithCardAsync(async context =>
        {
            switch ((string)(await JsonNode.ParseAsync(context.Request.Body))!["method"]!)
            {
                case "CancelTask":
                    cancelled.TrySetResult();
                    await context.Response.WriteAsync($$"""{"jsonrpc":"2.0","id":1,"result":{{PeerServer.TaskText("CANCELED")}}}""");
                    break;
                case "GetTask":
                    await context.Response.WriteAsync($$"""{"jsonrpc":"2.0","id":1,"result":{{PeerServer.TaskText("WORKING")}}}""");
                    break;
                default:
                    Interlocked.Increment(ref broken);
                    await PeerServer.EventAsync(context, $$"""{"task":{{PeerServer.TaskText("WORKING")}}}""");
                    // Not before the first event has arrived: a connection that breaks takes with it what wasn't read.
                    await known.Task.WaitAsync(context.RequestAborted);
                    await context.Response.WriteAsync("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"resu");
                    await context.Response.Body.FlushAsync();
                    context.Abort();
                    break;
            }
        });
        await using var host = await SessionHost.StartAsync();
        await host.CallAsync("agents.add", new JsonObject { ["url"] = server.Url.AbsoluteUri });
        var started = await host.CallAsync("session.start", new JsonObject { ["agentUrl"] = server.Url.AbsoluteUri, ["message"] = "hello", ["timeoutMs"] = 10_000 });
        var id = (string)started["sessionId"]!;
        await Wait.UntilAsync(async () => (string?)(await host.StatusAsync(id))["currentTaskId"] == "t");
        known.SetResult();
        var session = await host.UntilAsync(id, "failed");
        Assert.Equal("session timeout", (string?)session["error"]);
        await cancelled.Task.WaitAsync(HostProcess.Timeout);
        Assert.InRange(broken, 1, 100);
    }

    [Fact]
    public async Task Remote_whose_card_names_another_hosts_endpoint_is_not_followed_there()
    {
        var heard = 0;
        await using var elsewhere = await PeerServer.StartAsync((_, context) =>
        {
            Interlocked.Increment(ref heard);
            return PeerServer.NotFound(context);
        });
        await using var server = await PeerServer.StartAsync((server, context) => context.Request.Path == "/.well-known/agent-card.json"
            ? context.Response.WriteAsync(server.Card(url: new Uri(elsewhere.Url, "/rpc").AbsoluteUri))
            : PeerServer.NotFound(context));
        await using var host = await SessionHost.StartAsync();
        await host.CallAsync("agents.add", new JsonObject { ["url"] = server.Url.AbsoluteUri, ["apiKey"] = "for-this-one-only" });
        var id = await host.BeginAsync(server.Url.AbsoluteUri, "hello", "agent:main:asked");
        Assert.NotEmpty((string?)(await host.UntilAsync(id, "failed"))["error"] ?? "");
        Assert.Equal(0, heard);
    }

    private static async Task AnswerAsync(HttpContext context, Counter sent, Func<HttpContext, Counter, Task> answer)
    {
        if ((string?)(await JsonNode.ParseAsync(context.Request.Body))!["method"] == "CancelTask")
        {
            sent.Cancel();
            await context.Response.WriteAsync($$"""{"jsonrpc":"2.0","id":1,"result":{{PeerServer.TaskText("CANCELED")}}}""");
            return;
        }

        await answer(context, sent);
    }

    private static async Task EventsAsync(HttpContext context, Counter sent, Func<string, string> item)
    {
        await PeerServer.EventAsync(context, $$"""{"task":{{PeerServer.TaskText("WORKING")}}}""");
        var text = new string('x', 1024);
        while (sent.Bytes < Gigabyte && !context.RequestAborted.IsCancellationRequested)
        {
            await PeerServer.EventAsync(context, item(text));
            sent.Bytes += text.Length;
        }
    }

    private static async Task FloodAsync(HttpContext context, Counter sent, string type, string begin)
    {
        context.Response.ContentType = type;
        await context.Response.WriteAsync(begin);
        while (sent.Bytes < Gigabyte - begin.Length && !context.RequestAborted.IsCancellationRequested)
        {
            await context.Response.Body.WriteAsync(Filler);
            sent.Bytes += Filler.Length;
        }
    }

    private static long Peak(SessionHost host)
    {
        using var process = Process.GetProcessById(host.Process.Id);
        return process.PeakWorkingSet64;
    }

    private sealed class Counter
    {
        private long _bytes;
        private int _cancels;

        public int Cancels => Volatile.Read(ref _cancels);

        public void Cancel() => Interlocked.Increment(ref _cancels);

        public long Bytes
        {
            get => Interlocked.Read(ref _bytes);
            set => Interlocked.Exchange(ref _bytes, value);
        }
    }
}
