using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using static ChannelBridge.Tests.Integration.A2A.PeerClient;

namespace ChannelBridge.Tests.Integration.A2A;

/// <summary>Push notifications: they survive kills and receivers that are away, and go nowhere that they may not.</summary>
public sealed class A2APushTests
{
    [Fact]
    public async Task A_notification_arrives_with_its_token_and_credentials_which_are_never_read_back()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var lab = await A2ALab.StartAsync(Local);
        using var peer = lab.Peer();
        var task = await lab.WorkingAsync(peer, "n-1");
        var id = (string)task["id"]!;
        var set = await peer.CallAsync("CreateTaskPushNotificationConfig", new JsonObject
        {
            ["taskId"] = id,
            ["id"] = "one",
            ["url"] = receiver.Url + "/one",
            ["token"] = "t-0-k-e-n",
            ["authentication"] = new JsonObject { ["scheme"] = "Bearer", ["credentials"] = "s-e-c-r-e-t" },
        });
        using var old = lab.Peer(version: null);
        await old.PostAsync(
            $$$$$$"""{"jsonrpc":"2.0","id":1,"method":"tasks/pushNotificationConfig/set","params":{"taskId":"{{{{{{id}}}}}}","pushNotificationConfig":{"id":"two","url":"{{{{{{receiver.Url}}}}}}/two","token":"u"}}}""");
        var read = await peer.CallAsync("GetTaskPushNotificationConfig", new JsonObject { ["taskId"] = id, ["id"] = "one" });
        var listed = await peer.CallAsync("ListTaskPushNotificationConfigs", new JsonObject { ["taskId"] = id });
        Assert.Equal(2, listed["configs"]!.AsArray().Count);
        foreach (var shown in new[] { set, read, listed })
        {
            Assert.DoesNotContain("s-e-c-r-e-t", shown.ToJsonString(), StringComparison.Ordinal);
            Assert.DoesNotContain("t-0-k-e-n", shown.ToJsonString(), StringComparison.Ordinal);
        }

        lab.Model.Go.SetResult();
        var (first, second) = (await receiver.NextAsync("/one"), await receiver.NextAsync("/two"));
        Assert.Equal("t-0-k-e-n", first.Token);
        Assert.Equal("Bearer s-e-c-r-e-t", first.Authorization);
        Assert.Equal("application/a2a+json", first.ContentType);
        Assert.Equal("COMPLETED", State(first.Body["statusUpdate"]!));
        Assert.Equal((id, "completed", "u"), ((string?)second.Body["id"], (string?)second.Body["status"]!["state"], second.Token));
        Assert.Equal(SlowModel.First + SlowModel.Second, (string?)second.Body["artifacts"]![0]!["parts"]![0]!["text"]);
    }

    [Fact]
    public async Task A_receiver_that_is_away_gets_it_later_also_after_a_kill()
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Status = 503;
        await using var lab = await A2ALab.StartAsync(Local);
        using var peer = lab.Peer();
        var send = Send("away-1", "hello");
        send["configuration"]!["taskPushNotificationConfig"] = new JsonObject { ["url"] = receiver.Url + "/late" };
        var id = (string)(await peer.CallAsync("SendMessage", send))["task"]!["id"]!;
        await receiver.NextAsync("/late");
        await lab.KillAndStartAsync();
        receiver.Status = 200;
        while (true)
        {
            var notice = await receiver.NextAsync("/late");
            Assert.Equal(id, (string?)notice.Body["statusUpdate"]!["taskId"]);
            if (notice.Answered == 200) break;
        }
    }

    /// <summary>A listener on a private address hears nothing, whichever way the notification is sent there.</summary>
    [Fact]
    public async Task A_private_address_is_refused_and_hears_nothing()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var lab = await A2ALab.StartAsync();
        using var peer = lab.Peer();
        var task = (await peer.CallAsync("SendMessage", Send("private", "hello")))["task"]!;
        foreach (var url in new[] { receiver.Url, receiver.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal),
            "http://169.254.169.254/latest", "http://[::1]:1/", "http://10.0.0.1/", "ftp://example.com/", "http://user:pw@example.com/", "nonsense" })
        {
            var error = await peer.FailAsync("CreateTaskPushNotificationConfig", new JsonObject { ["taskId"] = (string)task["id"]!, ["url"] = url });
            Assert.Equal(-32602, (int)error["code"]!);
            var send = Send($"private-{url.Length}", "hello");
            send["configuration"]!["taskPushNotificationConfig"] = new JsonObject { ["url"] = url };
            Assert.Equal(-32602, (int)(await peer.FailAsync("SendMessage", send))["code"]!);
        }

        Assert.Equal(1, (int)(await peer.CallAsync("ListTasks", []))["totalSize"]!);
        Assert.Equal(0, receiver.Count);
    }

    [Theory]
    [InlineData(302, "redirects")]
    [InlineData(404, "404")]
    public async Task A_receiver_that_redirects_or_refuses_makes_a_dead_letter_with_the_reason(int status, string reason)
    {
        await using var receiver = await Receiver.StartAsync();
        receiver.Status = status;
        await using var lab = await A2ALab.StartAsync(Local);
        using var peer = lab.Peer();
        var send = Send("dead", "hello");
        send["configuration"]!["taskPushNotificationConfig"] = new JsonObject { ["url"] = receiver.Url + "/x" };
        await peer.CallAsync("SendMessage", send);
        await receiver.NextAsync("/x");
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (true)
        {
            var list = JsonNode.Parse((await HostProcess.RunAsync(["dead-letters", "list", "--json", "--data", lab.Host.Data])).Output)!["entries"]!.AsArray();
            if (list.Count > 0)
            {
                var shown = (await HostProcess.RunAsync(["dead-letters", "show", (string)list[0]!["messageId"]!, "--json", "--data", lab.Host.Data])).Output;
                Assert.Contains(reason, shown, StringComparison.Ordinal);
                break;
            }

            await Task.Delay(100, timeout.Token);
        }

        Assert.Equal(1, receiver.Count);
    }

    private static Dictionary<string, string> Local => new() { ["CHANNELBRIDGE__CHANNELS__A2A__NETWORKS"] = "public,127.0.0.1" };

    internal sealed class Receiver : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly ConcurrentDictionary<string, System.Threading.Channels.Channel<Notice>> _got = new();
        private int _count;

        private Receiver(WebApplication app) => _app = app;

        public string Url => _app.Urls.First();

        /// <summary>What it answers; 0: nothing.</summary>
        public int Status { get; set; } = 200;

        public int Count => Volatile.Read(ref _count);

        public static async Task<Receiver> StartAsync()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            var receiver = new Receiver(builder.Build());
            receiver._app.Run(receiver.TakeAsync);
            await receiver._app.StartAsync();
            return receiver;
        }

        public async Task<Notice> NextAsync(string path) => await Of(path).Reader.ReadAsync().AsTask().WaitAsync(HostProcess.Timeout);

        public async ValueTask DisposeAsync() => await _app.DisposeAsync();

        private System.Threading.Channels.Channel<Notice> Of(string path) => _got.GetOrAdd(path, static _ => System.Threading.Channels.Channel.CreateUnbounded<Notice>());

        private async Task TakeAsync(HttpContext context)
        {
            Interlocked.Increment(ref _count);
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync();
            if (Status == 0)
            {
                // It never answers; whoever asked gives up.
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(static _ => { }, TaskScheduler.Default);
                return;
            }

            context.Response.StatusCode = Status;
            if (Status == 302) context.Response.Headers.Location = Url + "/elsewhere";
            var headers = context.Request.Headers;
            await Of(context.Request.Path).Writer.WriteAsync(new Notice(
                JsonNode.Parse(body)!, headers["X-A2A-Notification-Token"].ToString(), headers.Authorization.ToString(), context.Request.ContentType, Status));
        }
    }

    internal sealed record Notice(JsonNode Body, string Token, string Authorization, string? ContentType, int Answered);
}
